#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "regtorch/kernels/bfloat16.hpp"
#include "regtorch/kernels/mixture.hpp"
#include "regtorch/kernels/simd.hpp"

/// Mixtures of each sample of a batch with the one before it, the first with the last.
///
/// Memory traffic: a sample is read from memory once, since it is still in the cache when the next
/// one asks for it, and written once: 8 bytes for a float32 and 4 for a bfloat16. At a copy speed
/// of B bytes/s the limit for 3x32x32 images is B / 24,576 (or B / 12,288) images a second.
namespace regtorch::kernels {

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
