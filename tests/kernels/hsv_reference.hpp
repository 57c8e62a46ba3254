#pragma once

#include <algorithm>
#include <array>
#include <cmath>

namespace regtorch::testing {

using Rgb = std::array<double, 3>;

/// Turns the hue of a colour by a share of the circle, by way of hue, saturation and value, as
/// Python's colorsys computes them.
inline Rgb hue_turned(const Rgb& color, double share) {
  const auto [r, g, b] = color;
  const double value = std::max({r, g, b});
  const double low = std::min({r, g, b});
  if (value == low) {
    return color;
  }
  const double saturation = (value - low) / value;
  const double rc = (value - r) / (value - low);
  const double gc = (value - g) / (value - low);
  const double bc = (value - b) / (value - low);
  double hue = r == value ? bc - gc : g == value ? 2 + rc - bc : 4 + gc - rc;
  hue = hue / 6 + share;
  hue -= std::floor(hue);

  const double sextant = std::floor(hue * 6);
  const double f = hue * 6 - sextant;
  const double p = value * (1 - saturation);
  const double q = value * (1 - saturation * f);
  const double t = value * (1 - saturation * (1 - f));
  switch (static_cast<int>(sextant) % 6) {
    case 0:
      return {value, t, p};
    case 1:
      return {q, value, p};
    case 2:
      return {p, value, t};
    case 3:
      return {p, q, value};
    case 4:
      return {t, p, value};
    default:
      return {value, p, q};
  }
}

}  // namespace regtorch::testing
