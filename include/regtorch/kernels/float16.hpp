#pragma once

#include <bit>
#include <cstdint>

#include "regtorch/kernels/simd.hpp"

/// IEEE float16 by integer arithmetic, as the instructions for it are in no level that kernels are
/// compiled for; without branches, so that loops of it vectorise. No intermediate is a subnormal
/// float32, so that it also holds where the processor is told to flush those.
namespace regtorch::kernels {

/// `yes` where the condition holds and `no` elsewhere, by masks: g++ turns some choices of values
/// into branches, and then does not vectorise.
REGTORCH_INLINE std::uint32_t choose(bool condition, std::uint32_t yes, std::uint32_t no) {
  return no ^ ((yes ^ no) & (0u - static_cast<std::uint32_t>(condition)));
}

/// float32 to float16, to nearest, ties to even; beyond the largest to infinity; NaN stays NaN.
REGTORCH_INLINE std::uint16_t to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  // A subnormal is a multiple of 2^-24, which is the last place of numbers in [0.5, 1).
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
  // Other exponents are less by 127 - 15; what rounds up beyond the mantissa ends in the exponent.
  const std::uint32_t normal = (magnitude + 0xFFFu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  std::uint32_t result = choose(magnitude < 0x38800000u, subnormal, normal);
  result = choose(magnitude >= 0x477FF000u, 0x7C00u, result);  // 65520 is halfway to 2^16
  result = choose(magnitude > 0x7F800000u, 0x7E00u, result);
  return static_cast<std::uint16_t>(result | ((bits >> 16) & 0x8000u));
}

/// float16 to float32, exactly.
REGTORCH_INLINE float from_float16(std::uint16_t bits) {
  const std::uint32_t magnitude = (bits & 0x7FFFu) << 13;
  // 2^-14 plus a subnormal has its mantissa where a normal number has.
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(
      std::bit_cast<float>(magnitude + 0x38800000u) - std::bit_cast<float>(0x38800000u));
  std::uint32_t result = magnitude + 0x38000000u;
  result = choose(magnitude >= 0x0F800000u, magnitude | 0x7F800000u, result);
  result = choose(magnitude < 0x00800000u, subnormal, result);
  return std::bit_cast<float>(result | ((bits & 0x8000u) << 16));
}

}  // namespace regtorch::kernels
