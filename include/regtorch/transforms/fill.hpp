#pragma once

#include <array>
#include <cmath>
#include <cstddef>

#include <c10/util/Exception.h>

namespace regtorch::transforms::detail {

/// A red, green and blue value in float32.
/// @throws c10::ValueError if one is not finite
inline std::array<float, 3> fill_color(const char* who, const std::array<double, 3>& fill) {
  std::array<float, 3> color{};
  for (std::size_t c = 0; c < 3; ++c) {
    TORCH_CHECK_VALUE(std::isfinite(fill[c]), who, ": wanted a finite fill, got ", fill[c],
                      " for channel ", c);
    color[c] = static_cast<float>(fill[c]);
  }
  return color;
}

/// Whether row y and column x are in a rectangle; one comparison for each side, which vectorises.
inline bool inside(int y, int x, int top, int left, int height, int width) {
  return (static_cast<unsigned>(y - top) < static_cast<unsigned>(height)) &
         (static_cast<unsigned>(x - left) < static_cast<unsigned>(width));
}

}  // namespace regtorch::transforms::detail
