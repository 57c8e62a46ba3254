#pragma once

#include <bit>
#include <cstdint>

#include "regtorch/kernels/simd.hpp"

namespace regtorch::kernels {

/// float32 to bfloat16, to nearest, ties to even; NaN stays NaN.
REGTORCH_INLINE std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  return static_cast<std::uint16_t>(is_nan ? 0x7FC0u : rounded);
}

/// bfloat16 to float32, exactly.
REGTORCH_INLINE float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace regtorch::kernels
