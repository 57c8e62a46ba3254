#pragma once

#include <array>
#include <cstdint>

#include <c10/util/Exception.h>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/transforms/fill.hpp"

namespace regtorch::transforms {

/// Covers a square of `size` pixels, centred at a random pixel, with one colour. What of the square
/// lies outside the image is cut off.
///
/// The centre (cy, cx) is uniform over the pixels (bias below 2^-32). Covered are the rows
/// [cy - floor(size / 2), cy - floor(size / 2) + size) and the columns likewise.
///
/// @param size  side of the square in pixels, in [1, 32768)
/// @param fill  red, green and blue, in the units that values have at this place of the pipeline;
///              default 0: after Normalize that is the mean, before it black
/// @throws c10::ValueError if the size is out of range or the fill not finite
///
/// Source: DeVries, Taylor, "Improved regularization of convolutional neural networks with Cutout",
/// 2017.
class Cutout {
 public:
  explicit Cutout(int size, std::array<double, 3> fill = {0, 0, 0})
      : size_(size), fill_(detail::fill_color("Cutout", fill)) {
    TORCH_CHECK_VALUE(size >= 1 && size < (1 << 15), "Cutout: wanted a size in [1, 32768), got ",
                      size);
  }

  struct Draw {
    int top;
    int left;
  };

  Draw draw(kernels::RandomWords& random, kernels::ImageSize in) const {
    const auto first = [&](int side) {
      return static_cast<int>(kernels::bounded(random.next(), static_cast<std::uint32_t>(side))) -
             size_ / 2;
    };
    const int top = first(in.height);
    return {top, first(in.width)};
  }
  void pixel(float& red, float& green, float& blue, const Draw& draw, int y, int x) const {
    const bool covered = detail::inside(y, x, draw.top, draw.left, size_, size_);
    red = covered ? fill_[0] : red;
    green = covered ? fill_[1] : green;
    blue = covered ? fill_[2] : blue;
  }

 private:
  int size_;
  std::array<float, 3> fill_;
};

}  // namespace regtorch::transforms
