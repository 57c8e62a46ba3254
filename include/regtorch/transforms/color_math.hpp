#pragma once

#include <algorithm>
#include <cmath>

/// Colours with channels in [0, 1].
namespace regtorch::transforms::detail {

/// The brightness of a colour (ITU-R BT.601, with torchvision's digits).
inline float gray(float red, float green, float blue) {
  return 0.2989f * red + 0.587f * green + 0.114f * blue;
}

inline float clamp01(float value) {
  value = value < 0.0f ? 0.0f : value;
  return value > 1.0f ? 1.0f : value;
}

/// Each channel becomes factor * channel + (1 - factor) * other, clamped to [0, 1].
inline void blend(float& red, float& green, float& blue, float other, float factor) {
  const float rest = (1.0f - factor) * other;
  red = clamp01(factor * red + rest);
  green = clamp01(factor * green + rest);
  blue = clamp01(factor * blue + rest);
}

/// Turns the hue by `turn` of the full circle, in [-0.5, 0.5], and keeps value and saturation of
/// HSV.
///
/// With value V = max and chroma C = max - min, and the hue h in sixths of the circle, the channels
/// are V - C * clamp(min(k, 4 - k), 0, 1) with k = (n + h) mod 6, n = 5, 3, 1 for red, green, blue.
inline void turn_hue(float& red, float& green, float& blue, float turn) {
  const float high = std::max(std::max(red, green), blue);
  const float low = std::min(std::min(red, green), blue);
  const float chroma = high - low;
  const float scale = chroma > 0.0f ? 1.0f / chroma : 0.0f;
  const float from_red = (green - blue) * scale;
  const float from_green = (blue - red) * scale + 2.0f;
  const float from_blue = (red - green) * scale + 4.0f;
  const float hue = (high == red ? from_red : high == green ? from_green : from_blue) + 6.0f * turn;
  const auto channel = [&](float n) {
    float k = n + hue;  // in [-3, 13]
    k = k < 0.0f ? k + 6.0f : k;
    k = k >= 6.0f ? k - 6.0f : k;
    k = k >= 6.0f ? k - 6.0f : k;
    return high - chroma * clamp01(std::min(k, 4.0f - k));
  };
  red = channel(5.0f);
  green = channel(3.0f);
  blue = channel(1.0f);
}

}  // namespace regtorch::transforms::detail
