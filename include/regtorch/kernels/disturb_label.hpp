#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "regtorch/kernels/disturb_rule.hpp"
#include "regtorch/kernels/multiply_high.hpp"
#include "regtorch/kernels/philox_lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// The decisions of DisturbLabel: one random word, one multiplication and one comparison a label.
///
/// Memory traffic: a label is read once and written once, 8 + 8 bytes (int64) or 4 + 4 (int32), so
/// at a copy speed of B bytes/s the limit is B / 16 (or B / 8) labels a second. Within the caches
/// arithmetic is the nearer limit: a quarter of a Philox block is 5 multiplications to 64 bits and
/// 15 shifts and exclusive ors, and with one multiplication and some ten operations of the decision
/// about 9 instructions a label on registers of 256 bits, which 4 pipelines do in 2.3 cycles.
namespace regtorch::kernels {

namespace detail {

/// Draws for the group of labels that begins at place `first`: the class that each is to become,
/// or rule.classes where it is to be kept.
class DrawGroup {
 public:
  DrawGroup(DisturbRule rule, RandomStream stream, Isa isa)
      : rule_(rule), stream_(stream), philox_(philox_group(isa)), multiply_(multiply_high(isa)) {}

  REGTORCH_INLINE void operator()(std::int64_t first, std::uint32_t (&drawn)[kPhiloxGroup]) const {
    philox_(stream_, static_cast<std::uint64_t>(first) / kPhiloxGroup, drawn);
    multiply_(drawn, kPhiloxGroup, rule_.multiplier);
    const std::uint32_t shift = rule_.shift;
    const std::uint32_t classes = rule_.classes;
    for (int i = 0; i < kPhiloxGroup; ++i) {
      const std::uint32_t c = drawn[i] >> shift;
      drawn[i] = c < classes ? c : classes;
    }
  }

 private:
  DisturbRule rule_;
  RandomStream stream_;
  PhiloxGroup philox_;
  MultiplyHigh multiply_;
};

/// Disturbs a whole group; returns whether one of its labels is neither a class nor, if kKeeps,
/// `keep`. In the form that g++ 12 vectorises at -O2: no overlap, no branch, all as wide as a
/// label.
template <bool kKeeps, class Label>
REGTORCH_INLINE bool disturb_group(const Label* __restrict in, Label* __restrict out,
                                   const std::uint32_t* __restrict drawn, Label keep,
                                   Label classes) {
  using Bits = std::make_unsigned_t<Label>;
  const Bits last = static_cast<Bits>(classes) - 1;
  Bits outside = 0;
  for (int i = 0; i < kPhiloxGroup; ++i) {
    const Label label = in[i];
    const Label kept = kKeeps && label == keep ? -1 : 0;
    // The sign of `label` if it is negative, and of `last - label` if it is above the last class.
    const Bits bits = static_cast<Bits>(label);
    outside |= ~static_cast<Bits>(kept) & (bits | (last - bits));
    const Label fresh = static_cast<Label>(drawn[i]);
    const Label disturbed = fresh == classes ? label : fresh;
    out[i] = kept ? label : disturbed;
  }
  return static_cast<Label>(outside) < 0;
}

}  // namespace detail

/// Disturbs the labels [begin, end) of an array; `begin` is a multiple of kPhiloxGroup.
///
/// @param out   does not overlap `in`
/// @param keep  this value is left alone, and allowed
/// @return the first place of a label that is neither `keep` nor in [0, rule.classes), or -1
template <class Label>
std::int64_t disturb_labels(const Label* in, Label* out, std::int64_t begin, std::int64_t end,
                            std::int64_t keep, DisturbRule rule, RandomStream stream, Isa isa) {
  const detail::DrawGroup draw(rule, stream, isa);
  const auto kept = static_cast<Label>(keep);
  const auto classes = static_cast<Label>(rule.classes);
  const bool keeps_class = kept >= 0 && kept < classes;
  std::int64_t bad = -1;
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t first = begin; first < end; first += kPhiloxGroup) {
      std::uint32_t drawn[kPhiloxGroup];
      draw(first, drawn);
      bool wrong = false;
      if (first + kPhiloxGroup <= end) {
        // Most groups hold classes alone, and need no test for what is to be kept.
        wrong = keeps_class ||
                detail::disturb_group<false>(in + first, out + first, drawn, kept, classes);
        if (wrong) {
          wrong = detail::disturb_group<true>(in + first, out + first, drawn, kept, classes);
        }
      } else {
        // The last labels, as a whole group all the same.
        Label from[kPhiloxGroup] = {};
        Label to[kPhiloxGroup];
        std::copy(in + first, in + end, from);
        wrong = detail::disturb_group<true>(from, to, drawn, kept, classes);
        std::copy(to, to + (end - first), out + first);
      }
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
  const detail::DrawGroup draw(rule, stream, isa);
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t first = begin; first < end; first += kPhiloxGroup) {
      std::uint32_t drawn[kPhiloxGroup];
      draw(first, drawn);
      std::copy(drawn, drawn + std::min<std::int64_t>(kPhiloxGroup, end - first), out + first);
    }
  });
}

}  // namespace regtorch::kernels
