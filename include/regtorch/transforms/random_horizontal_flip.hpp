#pragma once

#include <cstdint>

#include <c10/util/Exception.h>

#include "regtorch/transforms/horizontal_flip.hpp"

namespace regtorch::transforms {

/// Mirrors an image, left to right, with probability p.
///
/// @param p  probability in [0, 1]; default 0.5
/// @throws c10::ValueError if p is outside [0, 1]
///
/// The same as torchvision.transforms.RandomHorizontalFlip.
class RandomHorizontalFlip : public detail::HorizontalFlip {
 public:
  /// With the parameters above.
  explicit RandomHorizontalFlip(double p = 0.5) {
    TORCH_CHECK_VALUE(p >= 0 && p <= 1, "RandomHorizontalFlip: wanted p in [0, 1], got ", p);
    threshold_ = kernels::threshold(p);
  }

  /// What a Pipeline calls: see kernels/image_transform.hpp.
  Draw draw(kernels::RandomWords& random, kernels::ImageSize in) const {
    return {random.next() < threshold_, in.width - 1};
  }

 private:
  std::uint64_t threshold_ = 0;
};

}  // namespace regtorch::transforms
