#pragma once

#include <cmath>
#include <cstdint>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/normal.hpp"
#include "regtorch/kernels/philox.hpp"

/// Numbers of continuous distributions, in float64, from random words.
namespace regtorch::kernels {

/// Uniform in (0, 1], from two words.
inline double uniform_number(RandomWords& random) {
  const std::uint32_t upper = random.next();
  return unit_interval(upper, random.next());
}

/// Standard normal, from four words.
inline double normal_number(RandomWords& random) {
  PhiloxBlock words{};
  for (std::uint32_t& word : words) {
    word = random.next();
  }
  return standard_normal(words);
}

/// The logarithm of a Gamma(shape, 1) number; the number itself would underflow for a small shape.
///
/// Source: Marsaglia, Tsang, "A simple method for generating gamma variables", 2000, with their
/// G(a) = G(a + 1) * U^(1/a) below 1.
inline double log_gamma_number(double shape, RandomWords& random) {
  const double boost = shape < 1 ? std::log(uniform_number(random)) / shape : 0;
  const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal_number(random);
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(uniform_number(random)) < x * x / 2 + d - d * v + d * std::log(v)) {
      return std::log(d * v) + boost;
    }
  }
}

/// Beta(a, b), in [0, 1]; a and b positive. It takes more words only after a rejection, which
/// happens to fewer than one number in ten.
inline double beta_number(double a, double b, RandomWords& random) {
  const double x = log_gamma_number(a, random);
  const double y = log_gamma_number(b, random);
  return 1 / (1 + std::exp(y - x));
}

}  // namespace regtorch::kernels
