#pragma once

#include <array>
#include <cmath>
#include <cstddef>

#include <c10/util/Exception.h>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/simd.hpp"

namespace regtorch::transforms::detail {

/// What a part of an image becomes: red, green and blue.
class Fill {
 public:
  /// @throws c10::ValueError if a number is not finite in float32; `who` begins the message
  Fill(const char* who, const std::array<double, 3>& color) {
    for (std::size_t c = 0; c < 3; ++c) {
      color_[c] = static_cast<float>(color[c]);
      TORCH_CHECK_VALUE(std::isfinite(color_[c]), who,
                        ": wanted a fill that is finite in float32, got ", color[c],
                        " for channel ", c);
    }
  }

  const std::array<float, 3>& color() const { return color_; }

  /// Fills the pixels with columns x in [left, left + width).
  REGTORCH_INLINE void operator()(kernels::PixelBlock& block, const int (&x)[kernels::kLanes],
                                  int left, int width) const {
    const auto [red, green, blue] = color_;  // copies: nothing that is written can be one of them
    REGTORCH_INDEPENDENT
    for (int i = 0; i < kernels::kLanes; ++i) {
      const bool inside = (x[i] >= left) & (x[i] < left + width);
      block.red[i] = inside ? red : block.red[i];
      block.green[i] = inside ? green : block.green[i];
      block.blue[i] = inside ? blue : block.blue[i];
    }
  }

 private:
  std::array<float, 3> color_;
};

}  // namespace regtorch::transforms::detail
