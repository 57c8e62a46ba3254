#pragma once

#include "regtorch/kernels/host_device.hpp"
#include "regtorch/kernels/simd.hpp"

/// What colour transforms compute of one pixel, without a branch, for loops over pixels.
namespace regtorch::kernels {

/// The grey of a colour: ITU-R 601's weights of red, green and blue, rounded as in torchvision.
REGTORCH_HOST_DEVICE REGTORCH_INLINE float grayscale(float red, float green, float blue) {
  return 0.2989f * red + 0.587f * green + 0.114f * blue;
}

REGTORCH_INLINE float clamp_to_unit(float value) {
  value = value < 0.0f ? 0.0f : value;
  return value > 1.0f ? 1.0f : value;
}

/// Turns the hue of a colour in [0, 1]^3 by `sixths` of 60 degrees, in [-3, 3]; its value and
/// saturation in HSV stay.
///
/// In HSV a channel is value - chroma * clamp(min(k, 4 - k), 0, 1) with k = (n + hue) mod 6, the
/// hue in sixths of a circle and n = 5 for red, 3 for green, 1 for blue (A. R. Smith, "Color gamut
/// transform pairs", SIGGRAPH 1978, in one formula for all six sextants).
REGTORCH_INLINE void turn_hue(float& red, float& green, float& blue, float sixths) {
  const float red_or_green = red > green ? red : green;
  const float value = red_or_green > blue ? red_or_green : blue;
  const float lesser = red < green ? red : green;
  const float chroma = value - (lesser < blue ? lesser : blue);
  const float scale = 1.0f / (chroma > 0.0f ? chroma : 1.0f);  // a grey's hue may be any
  const float from_red = (green - blue) * scale;
  const float from_green = (blue - red) * scale + 2.0f;
  const float from_blue = (red - green) * scale + 4.0f;
  float hue = green == value ? from_green : from_blue;
  hue = (red == value ? from_red : hue) + sixths;  // in [-4, 8]
  hue += hue < 0.0f ? 6.0f : 0.0f;
  hue -= hue >= 6.0f ? 6.0f : 0.0f;
  const auto channel = [&](float n) REGTORCH_INLINE_LAMBDA {
    float k = n + hue;
    k -= k >= 6.0f ? 6.0f : 0.0f;
    const float other = 4.0f - k;
    return value - chroma * clamp_to_unit(k < other ? k : other);
  };
  red = channel(5.0f);
  green = channel(3.0f);
  blue = channel(1.0f);
}

}  // namespace regtorch::kernels
