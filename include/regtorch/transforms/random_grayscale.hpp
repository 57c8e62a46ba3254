#pragma once

#include <cstdint>

#include <c10/util/Exception.h>

#include "regtorch/kernels/color.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/simd.hpp"

namespace regtorch::transforms {

/// Takes the colour out of an image with probability p: all three channels become
///
///     0.2989 red + 0.587 green + 0.114 blue
///
/// @param p  probability in [0, 1]; default 0.1
/// @throws c10::ValueError if p is outside [0, 1]
///
/// The same as torchvision.transforms.RandomGrayscale.
class RandomGrayscale {
 public:
  /// With the parameters above.
  explicit RandomGrayscale(double p = 0.1) {
    TORCH_CHECK_VALUE(p >= 0 && p <= 1, "RandomGrayscale: wanted p in [0, 1], got ", p);
    threshold_ = kernels::threshold(p);
  }

  /// What is drawn for an image.
  struct Draw {
    bool gray;  ///< whether it loses its colour
  };

  /// @{
  /// What a Pipeline calls: see kernels/image_transform.hpp.
  Draw draw(kernels::RandomWords& random, kernels::ImageSize) const {
    return {random.next() < threshold_};
  }
  REGTORCH_INLINE void block(kernels::PixelBlock& block, const Draw& draw, int,
                             const int (&)[kernels::kLanes]) const {
    if (!draw.gray) {
      return;
    }
    for (int i = 0; i < kernels::kLanes; ++i) {
      const float gray = kernels::grayscale(block.red[i], block.green[i], block.blue[i]);
      block.red[i] = gray;
      block.green[i] = gray;
      block.blue[i] = gray;
    }
  }
  kernels::PixelOperation device_operation(const Draw& draw) const {
    return draw.gray ? kernels::PixelOperation::grayscale() : kernels::PixelOperation::none();
  }
  /// @}

 private:
  std::uint64_t threshold_ = 0;
};

}  // namespace regtorch::transforms
