#pragma once

#include <array>
#include <cstdint>

#include <c10/util/Exception.h>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/transforms/fill.hpp"

namespace regtorch::transforms {

/// Covers a square around a random pixel, so that what the network learns hangs on no one place.
///
/// The centre (y, x) is uniform over the image's pixels (bias below 2^-32); covered are the rows
/// [y - size / 2, y - size / 2 + size), size / 2 rounded down, and the columns alike, as far as
/// they are in the image.
///
/// @param size  side of the square in pixels, at least 1; it may be larger than the image
/// @param fill  what it becomes, a number a channel, in the unit that values have at this place of
///              the pipeline; default 0: after Normalize that is the mean, before it black
/// @throws c10::ValueError if the size is out of range or a number not finite
///
/// Source: DeVries, Taylor, "Improved regularization of convolutional neural networks with Cutout",
/// 2017, arXiv:1708.04552.
class Cutout {
 public:
  /// With the parameters above.
  explicit Cutout(int size, std::array<double, 3> fill = {0, 0, 0})
      : size_(size), fill_("Cutout", fill) {
    TORCH_CHECK_VALUE(size >= 1 && size < kLimit, "Cutout: wanted a size in [1, ", kLimit,
                      "), got ", size);
  }

  /// The square's first row and column, which may lie outside the image.
  struct Draw {
    int top;   ///< first row
    int left;  ///< first column
  };

  /// @{
  /// What a Pipeline calls: see kernels/image_transform.hpp.
  Draw draw(kernels::RandomWords& random, kernels::ImageSize in) const {
    const auto first = [&](int side) {
      return static_cast<int>(kernels::bounded(random.next(), static_cast<std::uint32_t>(side))) -
             size_ / 2;
    };
    const int top = first(in.height);
    return {top, first(in.width)};
  }
  REGTORCH_INLINE void block(kernels::PixelBlock& block, const Draw& draw, int y,
                             const int (&x)[kernels::kLanes]) const {
    if (y >= draw.top && y < draw.top + size_) {
      fill_(block, x, draw.left, size_);
    }
  }
  kernels::PixelOperation device_operation(const Draw& draw) const {
    return kernels::PixelOperation::fill({draw.top, draw.left, size_, size_}, fill_.color());
  }
  /// @}

 private:
  static constexpr int kLimit = 1 << 15;

  int size_;
  detail::Fill fill_;
};

}  // namespace regtorch::transforms
