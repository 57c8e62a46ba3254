#pragma once

#include <cstdint>

#include <c10/util/Exception.h>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/transforms/color_math.hpp"

namespace regtorch::transforms {

/// Takes the colour out of an image with probability p: each channel becomes
///
///     0.2989 red + 0.587 green + 0.114 blue
///
/// It stands before Normalize, where channels have the same scale.
///
/// @param p  probability in [0, 1]; default 0.1
/// @throws c10::ValueError if p is outside [0, 1]
///
/// The same as torchvision.transforms.RandomGrayscale.
class RandomGrayscale {
 public:
  explicit RandomGrayscale(double p = 0.1) {
    TORCH_CHECK_VALUE(p >= 0 && p <= 1, "RandomGrayscale: wanted p in [0, 1], got ", p);
    threshold_ = kernels::threshold(p);
  }

  struct Draw {
    bool gray;
  };

  Draw draw(kernels::RandomWords& random, kernels::ImageSize) const {
    return {random.next() < threshold_};
  }
  void pixel(float& red, float& green, float& blue, const Draw& draw, int, int) const {
    const float gray = detail::gray(red, green, blue);
    red = draw.gray ? gray : red;
    green = draw.gray ? gray : green;
    blue = draw.gray ? gray : blue;
  }

 private:
  std::uint64_t threshold_ = 0;
};

}  // namespace regtorch::transforms
