#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "regtorch/kernels/host_device.hpp"
#include "regtorch/kernels/simd.hpp"

/// How two samples of a batch are mixed, on any device.
namespace regtorch::kernels {

/// weight * own + (1 - weight) * before, reckoned from the nearer of the two, as at::lerp does: so
/// weights of 0 and 1 and equal numbers are exact.
class Blend {
 public:
  /// @param weight  of `own`, in [0, 1]
  explicit Blend(double weight)
      : own_is_nearer_(static_cast<float>(weight) >= 0.5f),
        share_(own_is_nearer_ ? 1.0f - static_cast<float>(weight) : static_cast<float>(weight)) {}

  REGTORCH_HOST_DEVICE float operator()(float own, float before) const {
    return own_is_nearer_ ? from_nearer(own, before) : from_nearer(before, own);
  }
  bool own_is_nearer() const { return own_is_nearer_; }
  REGTORCH_HOST_DEVICE REGTORCH_INLINE float from_nearer(float near, float far) const {
    return near + share_ * (far - near);
  }

 private:
  bool own_is_nearer_;
  float share_;  // of the farther one
};

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

}  // namespace regtorch::kernels
