#pragma once

#include <bit>
#include <cstdint>

#include "regtorch/kernels/simd.hpp"

/// e^x and log x in float32, without a branch or a table, so that loops of them vectorise.
///
/// The polynomials are near-minimax, fitted by regtorch's authors with Lawson's iteration. Both
/// functions add and multiply only, so they need IEEE arithmetic: no -ffast-math.
namespace regtorch::kernels {

/// e^x for x <= 0, off by less than 2^-22 of itself.
///
/// x = n log 2 + r with |r| <= log(2) / 2, and e^x = 2^n (1 + r q(r)), q of degree 4. Below the
/// logarithm of the least normal number, about -87.3, and at -inf it is 0; at 0 it is 1; nan stays
/// nan. For x above 0.3 the result means nothing.
REGTORCH_INLINE float exp_nonpositive(float x) {
  constexpr float kLeast = -87.33654f;
  // Adding 1.5 * 2^23 rounds to an integer, the 127 on top makes it 2^n's exponent.
  constexpr float kRound = 12582912.0f + 127.0f;
  constexpr float kLog2High = 0.693359375f;  // few bits: its product with n is exact
  constexpr float kLog2Low = -2.12194440e-4f;
  const float rounded = x * 1.44269504f + kRound;
  const float n = rounded - kRound;
  const float r = (x - n * kLog2High) - n * kLog2Low;
  const float q =
      0.9999997f + r * (0.49999148f + r * (0.16667639f + r * (0.04189816f + r * 0.008290272f)));
  const float scale = std::bit_cast<float>(std::bit_cast<std::uint32_t>(rounded) << 23);
  // A mask and no choice of values, which g++ would turn into a branch.
  const std::uint32_t keep = static_cast<std::uint32_t>(x < kLeast) - 1u;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>((1.0f + r * q) * scale) & keep);
}

/// log x for x >= 1, off by less than 2^-23 of itself; 0 at 1; of inf and nan nan.
REGTORCH_INLINE float log_of_sum(float x) {
  // x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)).
  constexpr std::uint32_t kRootOfHalf = 0x3F3504F3u;
  const std::uint32_t offset = std::bit_cast<std::uint32_t>(x) - kRootOfHalf;
  const auto n = static_cast<float>(static_cast<std::int32_t>(offset) >> 23);
  const float f = std::bit_cast<float>((offset & 0x007FFFFFu) + kRootOfHalf) - 1.0f;
  const float cubic =
      0.3333391f +
      f * (-0.25001338f +
           f * (0.19963063f +
                f * (-0.16577584f + f * (0.1491477f + f * (-0.14267494f + f * 0.08700435f)))));
  const float low = f * f * (f * cubic - 0.5f) + n * -2.12194440e-4f;
  return n * 0.693359375f + (low + f) + (x - x);
}

}  // namespace regtorch::kernels
