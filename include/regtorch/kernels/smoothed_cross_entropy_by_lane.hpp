#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "regtorch/kernels/exp.hpp"
#include "regtorch/kernels/float_formats.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/kernels/smoothed_targets.hpp"
#include "regtorch/kernels/transpose.hpp"

namespace regtorch::kernels {

/// Rows side by side: whole registers on every instruction set.
inline constexpr int kLossLanes = 32;

/// As many classes are worth a transposition; a buffer of theirs takes half of the
/// first cache.
inline constexpr int kMostLaneClasses = 128;

/// From as many classes on, 4 KiB of float32 logits a group, the next rows are asked for ahead: the
/// hardware sees shorter groups coming.
inline constexpr int kLeastAheadClasses = 32;

/// smoothed_cross_entropy_rows for `count` <= kLossLanes rows of few classes, each a lane.
template <class Format>
REGTORCH_INLINE double loss_by_lane(const SmoothedTargets& rule, const LossRows<Format>& rows,
                                    std::int64_t begin, int count) {
  using Stored = typename Format::Stored;
  constexpr int L = kLossLanes;
  const int C = static_cast<int>(rule.classes);
  alignas(64) float v[kMostLaneClasses * L];
  alignas(64) float stage[kMostLaneClasses * L];
  const Stored* logits = rows.logits + begin * C;
  const float* from = stage;
  if constexpr (std::is_same_v<Format, Float32Format>) {
    if (count == L) {
      from = logits;
    }
  }
  if (from == stage) {
    read_piece<Format>(logits, count * C, stage, 0);
    std::fill(stage + count * C, stage + L * C, 0.0f);
  }
  transpose(from, C, v, L, L, C);

  float most[L];
  for (int l = 0; l < L; ++l) {
    most[l] = v[l];
  }
  for (int c = 1; c < C; ++c) {
    for (int l = 0; l < L; ++l) {
      most[l] = most[l] > v[c * L + l] ? most[l] : v[c * L + l];
    }
  }
  float excess[L];
  float on_target[L];
  float factor[L];
  int target[L];  // an ignored one's is 0
  for (int l = 0; l < L; ++l) {
    const std::int64_t t = l < count ? rows.targets[begin + l] : rule.ignore_index;
    target[l] = t == rule.ignore_index ? 0 : static_cast<int>(t);
    excess[l] = v[target[l] * L + l];
    on_target[l] = rule.scale;
    factor[l] = rows.factor;
  }
  for (int l = 0; rule.weight != nullptr && l < L; ++l) {
    on_target[l] *= rule.weight[target[l]];
  }
  for (int l = 0; rows.factors != nullptr && l < count; ++l) {
    factor[l] = rows.factors[begin + l];
  }
  float sums[L];
  float dots[L];
  for (int l = 0; l < L; ++l) {
    sums[l] = most[l] - most[l];  // 0, or nan if most is infinite
    dots[l] = sums[l];
  }
  const bool fetches = C >= kLeastAheadClasses;
  const Ahead<Stored> ahead{logits, rows.gradient == nullptr ? logits : rows.gradient + begin * C,
                            L * C};
  static_assert(L == kLossChunk);
  if (rule.floor == 0) {
    for (int c = 0; c < C; ++c) {
      if (fetches) {
        ahead.fetch(c * L);
      }
      for (int l = 0; l < L; ++l) {
        const float e = exp_nonpositive(v[c * L + l] - most[l]);
        v[c * L + l] = e;
        sums[l] += e;
      }
    }
  } else {
    for (int c = 0; c < C; ++c) {
      if (fetches) {
        ahead.fetch(c * L);
      }
      const float w = rule.weight == nullptr ? 1.0f : rule.weight[c];
      for (int l = 0; l < L; ++l) {
        const float d = v[c * L + l] - most[l];
        const float e = exp_nonpositive(d);
        v[c * L + l] = e;
        sums[l] += e;
        dots[l] += d * w;
      }
    }
  }
  float loss[L];
  float a[L];
  float b[L];
  for (int l = 0; l < L; ++l) {
    const float log_sum = log_of_sum(sums[l]);
    loss[l] = on_target[l] * (log_sum - (excess[l] - most[l])) +
              rule.floor * (rule.weight_sum * log_sum - dots[l]);
    a[l] = factor[l] * (on_target[l] + rule.floor * rule.weight_sum) / sums[l];
    b[l] = factor[l] * rule.floor;
  }
  double total = 0;
  for (int l = 0; l < count; ++l) {
    const bool ignored = rows.targets[begin + l] == rule.ignore_index;
    loss[l] = ignored ? 0.0f : loss[l];
    total += loss[l];
  }
  if (rows.losses != nullptr) {
    std::copy(loss, loss + count, rows.losses + begin);
  }
  if (rows.gradient == nullptr) {
    return total;
  }
  for (int c = 0; c < C; ++c) {
    const float w = rule.weight == nullptr ? 1.0f : rule.weight[c];
    for (int l = 0; l < L; ++l) {
      v[c * L + l] = v[c * L + l] * a[l] - b[l] * w;
    }
  }
  Stored* gradient = rows.gradient + begin * C;
  float* to = stage;
  if constexpr (std::is_same_v<Format, Float32Format>) {
    if (count == L) {
      to = gradient;
    }
  }
  transpose(v, L, to, C, C, L);
  if (to == stage) {
    write_piece<Format>(stage, count * C, gradient);
  }
  for (int l = 0; l < count; ++l) {
    Stored* row = gradient + l * C;
    if (rows.targets[begin + l] == rule.ignore_index) {
      std::fill(row, row + C, Stored{});
    } else {
      row[target[l]] = Format::write(v[target[l] * L + l] - factor[l] * on_target[l]);
    }
  }
  return total;
}

}  // namespace regtorch::kernels
