#pragma once

#include <array>
#include <cmath>
#include <cstddef>

#include <c10/util/Exception.h>

#include "regtorch/kernels/image_transform.hpp"

namespace regtorch::transforms {

/// Shifts and scales each channel: y_c = (x_c - mean_c) / std_c.
///
/// Computed as one multiply-add, x / std - mean / std; it differs from the formula by less than
/// 4 * 2^-24 * (|x| + |mean|) / std.
///
/// @param mean  what to subtract from red, green and blue, in [0, 1] units
/// @param std   what to divide by; positive and finite
/// @throws c10::ValueError on a mean that is not finite, a std that is not positive and finite, or
///         two that make more than float32 can hold
///
/// The same as torchvision.transforms.Normalize after ToTensor.
class Normalize {
 public:
  /// With the parameters above.
  Normalize(std::array<double, 3> mean, std::array<double, 3> std) {
    for (std::size_t c = 0; c < 3; ++c) {
      TORCH_CHECK_VALUE(std::isfinite(mean[c]), "Normalize: wanted a finite mean, got ", mean[c],
                        " for channel ", c);
      TORCH_CHECK_VALUE(std::isfinite(std[c]) && std[c] > 0,
                        "Normalize: wanted a positive, finite std, got ", std[c], " for channel ",
                        c);
      scale_[c] = static_cast<float>(1.0 / std[c]);
      shift_[c] = static_cast<float>(-mean[c] / std[c]);
      TORCH_CHECK_VALUE(
          std::isfinite(scale_[c]) && std::isfinite(shift_[c]),
          "Normalize: wanted 1 / std and mean / std to be finite in float32, got mean ", mean[c],
          " and std ", std[c], " for channel ", c);
    }
  }

  /// @{
  /// What a Pipeline calls: see kernels/image_transform.hpp.
  void pixel(float& red, float& green, float& blue) const {
    red = red * scale_[0] + shift_[0];
    green = green * scale_[1] + shift_[1];
    blue = blue * scale_[2] + shift_[2];
  }
  kernels::PixelOperation device_operation(const kernels::NoDraw&) const {
    return kernels::PixelOperation::scale_shift(scale_, shift_);
  }
  /// @}

 private:
  std::array<float, 3> scale_;
  std::array<float, 3> shift_;
};

}  // namespace regtorch::transforms
