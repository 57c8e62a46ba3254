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

/// Rows side by side.
inline constexpr int kLossLanes = 32;

/// As many classes are worth a transposition; their buffers take half of the first cache.
inline constexpr int kMostLaneClasses = 64;

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
    read_piece<Format>(logits, count * C, stage);
    std::fill(stage + count * C, stage + L * C, 0.0f);
  }
  for (int l = 0; l < L; l += 4) {
    const float* row = from + l * C;
    int c = 0;
    for (; c + 4 <= C; c += 4) {
      transpose_4x4(row + c, C, v + c * L + l, L);
    }
    for (; c < C; ++c) {
      for (int i = 0; i < 4; ++i) {
        v[c * L + l + i] = row[i * C + c];
      }
    }
  }

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
  int target[L];
  for (int l = 0; l < L; ++l) {
    const std::int64_t t = l < count ? rows.targets[begin + l] : rule.ignore_index;
    const bool ignored = t == rule.ignore_index;
    target[l] = ignored ? 0 : static_cast<int>(t);
    excess[l] = v[target[l] * L + l];
    on_target[l] = rule.scale * (rule.weight == nullptr ? 1.0f : rule.weight[target[l]]);
    factor[l] = ignored ? 0.0f : rows.factors == nullptr ? rows.factor : rows.factors[begin + l];
  }
  float sums[L] = {};
  float dots[L] = {};
  if (rule.floor == 0) {
    for (int c = 0; c < C; ++c) {
      for (int l = 0; l < L; ++l) {
        const float e = exp_nonpositive(v[c * L + l] - most[l]);
        v[c * L + l] = e;
        sums[l] += e;
      }
    }
  } else {
    for (int c = 0; c < C; ++c) {
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
    const float sum = sums[l] + (most[l] - most[l]);
    const float log_sum = log_of_sum(sum);
    loss[l] = on_target[l] * (log_sum - (excess[l] - most[l])) +
              rule.floor * (rule.weight_sum * log_sum - dots[l]);
    a[l] = factor[l] * (on_target[l] + rule.floor * rule.weight_sum) / sum;
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
  for (int l = 0; l < L; ++l) {
    v[target[l] * L + l] -= factor[l] * on_target[l];
  }
  Stored* gradient = rows.gradient + begin * C;
  float* to = stage;
  if constexpr (std::is_same_v<Format, Float32Format>) {
    if (count == L) {
      to = gradient;
    }
  }
  for (int l = 0; l < L; l += 4) {
    int c = 0;
    for (; c + 4 <= C; c += 4) {
      transpose_4x4(v + c * L + l, L, to + l * C + c, C);
    }
    for (; c < C; ++c) {
      for (int i = 0; i < 4; ++i) {
        to[(l + i) * C + c] = v[c * L + l + i];
      }
    }
  }
  if (to == stage) {
    write_piece<Format>(stage, count * C, gradient);
  }
  for (int l = 0; l < count; ++l) {
    if (rows.targets[begin + l] == rule.ignore_index) {  // 0 times nan would be nan
      std::fill(gradient + l * C, gradient + (l + 1) * C, Stored{});
    }
  }
  return total;
}

}  // namespace regtorch::kernels
