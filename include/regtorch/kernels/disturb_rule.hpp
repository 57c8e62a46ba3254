#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace regtorch::kernels {

/// With probability a = alpha / 100 a label is drawn anew from all C classes.
///
/// One 32-bit word w decides both whether and which: c = floor(w / 2^32 * C / a) is uniform over
/// [0, C / a), so it is each of the C classes with probability a / C, and beyond them, which keeps
/// the label, otherwise. C / a is held as multiplier / 2^shift with 32 significant bits, so that c
/// is the upper half of a product, shifted: integers only, the same on every machine.
///
/// Bias: the boundary of each class lies within 2^-31 of where it should, so every probability is
/// off by less than 2^-30.
struct DisturbRule {
  std::uint32_t multiplier = 0;
  std::uint32_t shift = 0;
  std::uint32_t classes = 0;

  /// The smallest positive a that 32 bits can express for so many classes: C / a is below 2^32.
  static double least(std::uint32_t classes) { return classes / 4294967295.0; }

  /// @param a        in [least(classes), 1]
  /// @param classes  in [1, 2^31]
  static DisturbRule make(double a, std::uint32_t classes) {
    int exponent = 0;
    const double mantissa = std::frexp(classes / a, &exponent);  // in [0.5, 1)
    const double scaled = std::min(std::nearbyint(std::ldexp(mantissa, 32)), 4294967295.0);
    return {static_cast<std::uint32_t>(scaled), static_cast<std::uint32_t>(32 - exponent), classes};
  }

  /// The new class, or one of `classes` and beyond where the label is kept.
  constexpr std::uint32_t operator()(std::uint32_t word) const {
    return static_cast<std::uint32_t>((std::uint64_t{word} * multiplier) >> 32) >> shift;
  }
};

}  // namespace regtorch::kernels
