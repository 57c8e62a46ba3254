#pragma once

#include <bit>
#include <cstdint>

// float32 to the two 16-bit formats and back, to nearest, ties to even. Written apart from
// regtorch/kernels, whose arithmetic the tests compare with this. A NaN becomes the device's own,
// 0x7FFF.

namespace regtorch::simt {

/// Magnitude bits of a float rounded to a format with this many exponent and mantissa bits.
constexpr std::uint32_t round_magnitude(std::uint32_t magnitude, int exponent_bits,
                                        int mantissa_bits) {
  const std::uint32_t infinity = ((1u << exponent_bits) - 1) << mantissa_bits;
  if (magnitude >= 0x7F800000u) return infinity;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  int exponent = static_cast<int>(magnitude >> 23) - 127;
  std::uint64_t mantissa = magnitude & 0x7FFFFFu;
  if (exponent == -127) {
    exponent = -126;  // subnormal: no leading one
  } else {
    mantissa |= 0x800000u;
  }
  // Below the format's smallest exponent, bits fall off the end.
  const int below = exponent < 1 - bias ? 1 - bias - exponent : 0;
  const int dropped = 23 - mantissa_bits + below;
  if (dropped > 32) return 0;
  const std::uint64_t half = (std::uint64_t{1} << dropped) >> 1;
  const std::uint64_t rest = mantissa & ((std::uint64_t{1} << dropped) - 1);
  std::uint64_t kept = mantissa >> dropped;
  if (rest > half || (rest == half && half != 0 && (kept & 1u) != 0)) ++kept;
  // The leading one, where there is one, adds 1 to the exponent's field.
  const int field = below > 0 ? 0 : exponent + bias - 1;
  const std::uint64_t bits = (static_cast<std::uint64_t>(field) << mantissa_bits) + kept;
  return bits > infinity ? infinity : static_cast<std::uint32_t>(bits);
}

constexpr std::uint16_t round_to_16_bits(float x, int exponent_bits, int mantissa_bits) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return 0x7FFF;
  return static_cast<std::uint16_t>(round_magnitude(magnitude, exponent_bits, mantissa_bits) |
                                    (bits >> 16 & 0x8000u));
}

constexpr float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1Fu;
  const std::uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t field = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | field << 23 | mantissa << 13);
}

constexpr float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace regtorch::simt
