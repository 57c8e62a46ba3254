#pragma once

#include <bit>
#include <cstdint>

#include "regtorch/kernels/exp.hpp"
#include "regtorch/kernels/simd.hpp"

namespace regtorch::kernels {

/// The standard normal distribution at a point, of which GELU and its derivative are made:
///
///     gelu(u) = u cdf(u),     gelu'(u) = cdf(u) + u density(u)
struct Normal {
  float cdf;      ///< P(X <= u), off by less than 2^-21
  float density;  ///< exp(-u^2 / 2) / sqrt(2 pi), off by less than 2^-23
};

/// Without a branch, so that loops of it vectorise. nan stays nan.
///
/// The tail P(X > |u|) is a polynomial in 1 / (1 + k |u|) times exp(-u^2 / 2): Abramowitz and
/// Stegun, "Handbook of mathematical functions", 1964, formula 7.1.26, scaled from the error
/// function to the normal distribution.
REGTORCH_INLINE Normal normal_at(float u) {
  constexpr std::uint32_t kSign = 0x80000000u;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(u);
  const float size = std::bit_cast<float>(bits & ~kSign);
  const float e = exp_nonpositive(-0.5f * u * u);
  const float t = 1.0f / (1.0f + 0.23164189f * size);
  const float tail =
      e * t *
      (0.12741479f + t * (-0.14224836f + t * (0.71070687f + t * (-0.72657601f + t * 0.53070271f))));
  // 1/2 +- (1/2 - tail), the sign being that of u.
  const float half =
      std::bit_cast<float>(std::bit_cast<std::uint32_t>(0.5f - tail) ^ (bits & kSign));
  return {0.5f + half, 0.39894228f * e};
}

}  // namespace regtorch::kernels
