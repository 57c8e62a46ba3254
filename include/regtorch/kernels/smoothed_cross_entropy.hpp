#pragma once

#include <algorithm>
#include <cstdint>

#include "regtorch/kernels/simd.hpp"
#include "regtorch/kernels/smoothed_cross_entropy_by_lane.hpp"
#include "regtorch/kernels/smoothed_cross_entropy_by_row.hpp"
#include "regtorch/kernels/smoothed_targets.hpp"

namespace regtorch::kernels {

/// What a pass over the labels alone finds.
struct TargetCount {
  std::int64_t bad = -1;  ///< the first place of a label neither in [0, classes) nor ignored, or -1
  std::int64_t kept = 0;  ///< how many are not ignored
  double weight = 0;      ///< the sum of their classes' weights: the mean's divisor
};

/// Counts the labels [begin, end), before anything is computed with them.
inline TargetCount count_targets(const SmoothedTargets& rule, const std::int64_t* targets,
                                 std::int64_t begin, std::int64_t end, Isa isa) {
  TargetCount result;
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    constexpr int kWidth = 32;
    const auto classes = static_cast<std::uint64_t>(rule.classes);
    const std::int64_t ignored = rule.ignore_index;
    std::uint64_t wrong = 0;
    std::int64_t kept = 0;
    const auto count = [&](const std::int64_t* from, int width) REGTORCH_INLINE_LAMBDA {
      for (int i = 0; i < width; ++i) {
        const auto keep = static_cast<std::uint64_t>(from[i] != ignored);
        wrong |= keep & static_cast<std::uint64_t>(static_cast<std::uint64_t>(from[i]) >= classes);
        kept += static_cast<std::int64_t>(keep);
      }
    };
    std::int64_t first = begin;
    for (; first + kWidth <= end; first += kWidth) {
      count(targets + first, kWidth);  // a constant, so that it vectorises at -O2
    }
    count(targets + first, static_cast<int>(end - first));
    result.kept = kept;
    result.weight = static_cast<double>(kept);
    if (wrong != 0) {
      result.bad = begin;
      while (targets[result.bad] == ignored ||
             static_cast<std::uint64_t>(targets[result.bad]) < classes) {
        ++result.bad;
      }
    } else if (rule.weight != nullptr) {
      result.weight = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        result.weight += targets[i] == ignored ? 0.0 : static_cast<double>(rule.weight[targets[i]]);
      }
    }
  });
  return result;
}

/// The smoothed cross entropy of rows [begin, end), and, where wanted, its gradient: each logit is
/// read from memory once and each element of the gradient written once, final.
///
/// Bytes moved: with 4 bytes an element (float32), 4 read and, with the gradient, 4 written, for
/// which a processor's cache first reads another 4: 12 in all, 6 with 2 bytes an element. At 10
/// GB/s a core no more than 0.8 (0.4) elements a nanosecond can pass. The arithmetic, one
/// exponential of about 15 instructions for each 8 or 16 elements, stays below that; beyond
/// kLossPiece classes it is two, as keeping the first would cost a store.
///
/// Few classes: rows lie side by side in the lanes of the registers, for which 32 rows at a time
/// are transposed in the first cache. Many: a row at a time, in pieces that fit the first cache;
/// the sum of exponentials is scaled anew where a later piece has a greater maximum, and the
/// gradient's pass finds the row in the second cache.
///
/// A row whose greatest logit is inf, -inf or nan, and one with a nan, has nan as loss and
/// gradient.
/// @return the sum of the rows' losses, the same bit for bit on one instruction set
template <class Format>
double smoothed_cross_entropy_rows(const SmoothedTargets& rule, const LossRows<Format>& rows,
                                   std::int64_t begin, std::int64_t end, Isa isa) {
  double total = 0;
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    if (rule.classes <= kMostLaneClasses) {
      for (std::int64_t row = begin; row < end; row += kLossLanes) {
        total += loss_by_lane(rule, rows, row,
                              static_cast<int>(std::min<std::int64_t>(kLossLanes, end - row)));
      }
    } else {
      for (std::int64_t row = begin; row < end; ++row) {
        const double loss = loss_by_row(rule, rows, row);
        if (rows.losses != nullptr) {
          rows.losses[row] = static_cast<float>(loss);
        }
        total += loss;
      }
    }
  });
  return total;
}

}  // namespace regtorch::kernels
