#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include "regtorch/kernels/bfloat16.hpp"
#include "regtorch/kernels/simd.hpp"

/// Mixtures of each sample of a batch with the one before it, the first with the last.
///
/// Memory traffic: a sample is read from memory once, since it is still in the cache when the next
/// one asks for it, and written once: 8 bytes for a float32 and 4 for a bfloat16. At a copy speed
/// of B bytes/s the limit for 3x32x32 images is B / 24,576 (or B / 12,288) images a second.
namespace regtorch::kernels {

/// weight * own + (1 - weight) * before, reckoned from the nearer of the two, as at::lerp does: so
/// weights of 0 and 1 and equal numbers are exact.
class Blend {
 public:
  /// @param weight  of `own`, in [0, 1]
  explicit Blend(double weight)
      : own_is_nearer_(static_cast<float>(weight) >= 0.5f),
        share_(own_is_nearer_ ? 1.0f - static_cast<float>(weight) : static_cast<float>(weight)) {}

  float operator()(float own, float before) const {
    return own_is_nearer_ ? from_nearer(own, before) : from_nearer(before, own);
  }
  bool own_is_nearer() const { return own_is_nearer_; }
  REGTORCH_INLINE float from_nearer(float near, float far) const {
    return near + share_ * (far - near);
  }

 private:
  bool own_is_nearer_;
  float share_;  // of the farther one
};

/// Blends two arrays: out[i] = blend(own[i], before[i]) for i < count.
///
/// @tparam Value  float, or std::uint16_t for bfloat16, reckoned in float32 and rounded once
template <class Value>
void blend_arrays(const Value* own, const Value* before, Value* out, std::int64_t count,
                  Blend blend, Isa isa) {
  // Decided here and not for each number: a loop with a branch would not be vectorised.
  const Value* nearer = blend.own_is_nearer() ? own : before;
  const Value* farther = blend.own_is_nearer() ? before : own;
  run_on(isa, [=]() REGTORCH_INLINE_LAMBDA {
    const auto blend_some = [blend](const Value* near, const Value* far, Value* to,
                                    int some) REGTORCH_INLINE_LAMBDA {
      REGTORCH_INDEPENDENT
      for (int i = 0; i < some; ++i) {
        if constexpr (std::is_same_v<Value, float>) {
          to[i] = blend.from_nearer(near[i], far[i]);
        } else {
          to[i] = to_bfloat16(blend.from_nearer(from_bfloat16(near[i]), from_bfloat16(far[i])));
        }
      }
    };
    constexpr int kWidth = 64;  // a constant: what g++ -O2 needs to vectorise
    std::int64_t begin = 0;
    for (; begin + kWidth <= count; begin += kWidth) {
      blend_some(nearer + begin, farther + begin, out + begin, kWidth);
    }
    blend_some(nearer + begin, farther + begin, out + begin, static_cast<int>(count - begin));
  });
}

/// Rows [top, bottom) and columns [left, right) of an image.
struct ImageBox {
  std::int64_t top = 0;
  std::int64_t bottom = 0;
  std::int64_t left = 0;
  std::int64_t right = 0;
};

/// How each sample of a batch is mixed with the one before it.
struct Mixture {
  double own = 1;               ///< the share that is left of the sample itself, in [0, 1]
  std::optional<ImageBox> box;  ///< where the other one is pasted; without: the two are blended
};

/// A plane of an image in bytes, and a box in it: rows of `row` bytes, `plane` in all; the box is
/// the bytes [left, right) of the rows [top, bottom).
struct PlaneBox {
  std::size_t plane = 0;
  std::size_t row = 0;
  std::size_t top = 0;
  std::size_t bottom = 0;
  std::size_t left = 0;
  std::size_t right = 0;

  /// @param pixel  bytes from a pixel to the next one in its row
  static PlaneBox make(const ImageBox& box, std::int64_t height, std::int64_t width,
                       std::int64_t pixel) {
    const auto size = [](std::int64_t count) { return static_cast<std::size_t>(count); };
    return {size(height * width * pixel), size(width * pixel),    size(box.top), size(box.bottom),
            size(box.left * pixel),       size(box.right * pixel)};
  }
};

/// Copies a plane, with the box from that of another sample. It is copied whole and then pasted
/// into, while it is in the cache.
inline void paste_box(const std::uint8_t* own, const std::uint8_t* before, std::uint8_t* out,
                      const PlaneBox& box) {
  std::memcpy(out, own, box.plane);
  for (std::size_t y = box.top; y < box.bottom; ++y) {
    const std::size_t place = y * box.row + box.left;
    std::memcpy(out + place, before + place, box.right - box.left);
  }
}

/// Targets [begin, end) of a batch: for each class, `blend` of whether it is the sample's own and
/// whether it is that of the sample before.
///
/// @param labels   `batch` of them
/// @param targets  [batch,classes]
/// @return the first place of a label among those used that is not in [0, classes), or -1
inline std::int64_t blend_targets(const std::int64_t* labels, float* targets, std::int64_t batch,
                                  std::int64_t classes, Blend blend, std::int64_t begin,
                                  std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t previous = i == 0 ? batch - 1 : i - 1;
    for (const std::int64_t used : {previous, i}) {
      if (labels[used] < 0 || labels[used] >= classes) {
        return used;
      }
    }
    const std::int64_t own = labels[i];
    const std::int64_t before = labels[previous];
    float* target = targets + i * classes;
    std::fill_n(target, classes, 0.0f);
    target[before] = blend(0, 1);
    target[own] = own == before ? 1.0f : blend(1, 0);
  }
  return -1;
}

}  // namespace regtorch::kernels
