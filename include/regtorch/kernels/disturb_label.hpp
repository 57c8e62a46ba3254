#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "regtorch/kernels/philox_lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// The decisions of DisturbLabel: one random word, one multiplication and one comparison a label.
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

/// Disturbs the labels [begin, end) of an array; `begin` is a multiple of kPhiloxGroup.
///
/// @param keep  this value is left alone, and allowed
/// @return the first place of a label that is neither `keep` nor in [0, rule.classes), or -1
template <class Label>
std::int64_t disturb_labels(const Label* in, Label* out, std::int64_t begin, std::int64_t end,
                            std::int64_t keep, DisturbRule rule, RandomStream stream, Isa isa) {
  std::int64_t bad = -1;
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    const auto kept = static_cast<Label>(keep);
    const auto classes = static_cast<Label>(rule.classes);
    const auto disturb = [&](const std::uint32_t* words, const Label* from, Label* to,
                             int count) REGTORCH_INLINE_LAMBDA {
      unsigned wrong = 0;
      for (int i = 0; i < count; ++i) {
        const Label label = from[i];
        const std::uint32_t drawn = rule(words[i]);
        wrong |= static_cast<unsigned>((label != kept) & ((label < 0) | (label >= classes)));
        to[i] = (drawn < rule.classes) & (label != kept) ? static_cast<Label>(drawn) : label;
      }
      return wrong != 0;
    };
    for (std::int64_t first = begin; first < end; first += kPhiloxGroup) {
      std::uint32_t words[kPhiloxGroup];
      philox_group(stream, static_cast<std::uint64_t>(first) / kPhiloxGroup, words);
      // The constant count is the common case, and lets the compiler vectorise at -O2.
      const bool whole = first + kPhiloxGroup <= end;
      const bool wrong =
          whole ? disturb(words, in + first, out + first, kPhiloxGroup)
                : disturb(words, in + first, out + first, static_cast<int>(end - first));
      if (wrong && bad < 0) {
        bad = first;
        while (in[bad] == kept || (in[bad] >= 0 && in[bad] < classes)) {
          ++bad;
        }
      }
    }
  });
  return bad;
}

/// What disturb_labels would make of labels not known yet: for places [begin, end) of an array the
/// class drawn, or rule.classes where the label is to be kept.
inline void draw_labels(std::int64_t* out, std::int64_t begin, std::int64_t end, DisturbRule rule,
                        RandomStream stream, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t first = begin; first < end; first += kPhiloxGroup) {
      std::uint32_t words[kPhiloxGroup];
      philox_group(stream, static_cast<std::uint64_t>(first) / kPhiloxGroup, words);
      const std::int64_t last = std::min(end, first + kPhiloxGroup);
      for (std::int64_t i = first; i < last; ++i) {
        out[i] = std::min(rule(words[i - first]), rule.classes);
      }
    }
  });
}

}  // namespace regtorch::kernels
