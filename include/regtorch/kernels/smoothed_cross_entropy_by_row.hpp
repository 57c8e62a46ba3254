#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "regtorch/kernels/exp.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/kernels/smoothed_targets.hpp"

namespace regtorch::kernels {

/// Logits that are worked on at a time, 16 KiB of float32: half of the first cache.
inline constexpr int kLossPiece = 4096;

/// What a row's loss and gradient are made of.
struct RowSums {
  float most = 0;  ///< the greatest logit, m
  float sum = 0;   ///< of e^(x_c - m); nan if m is infinite
  double dot = 0;  ///< sum_c w_c x_c; 0 if not wanted, the floor being 0
};

/// Reads a row once. Leaves e^(x_c - m) in `piece`, if the whole row fits it.
template <class Format>
REGTORCH_INLINE RowSums sums_of_row(const SmoothedTargets& rule,
                                    const typename Format::Stored* logits, float* piece,
                                    const Ahead<typename Format::Stored>& ahead) {
  float sums[kLossChunk] = {};
  float most = -std::numeric_limits<float>::infinity();
  float reference = std::numeric_limits<float>::lowest();  // most, but never -inf
  double dot = 0;
  for (std::int64_t first = 0; first < rule.classes; first += kLossPiece) {
    const int count = static_cast<int>(std::min<std::int64_t>(kLossPiece, rule.classes - first));
    most = read_piece<Format>(logits + first, count, piece, most);
    const float next = std::max(most, std::numeric_limits<float>::lowest());
    if (first > 0) {
      const float shrink = exp_nonpositive(reference - next);
      for (int k = 0; k < kLossChunk; ++k) {
        sums[k] *= shrink;
      }
    }
    reference = next;
    float dots[kLossChunk] = {};
    int i = 0;
    float weight_of_piece = 0;
    if (rule.floor == 0) {
      for (; i < count; i += kLossChunk) {
        ahead.fetch(first + i);
        for (int k = 0; k < kLossChunk; ++k) {
          const float e = exp_nonpositive(piece[i + k] - reference);
          piece[i + k] = e;
          sums[k] += e;
        }
      }
    } else if (rule.weight == nullptr) {
      for (; i + kLossChunk <= count; i += kLossChunk) {
        ahead.fetch(first + i);
        for (int k = 0; k < kLossChunk; ++k) {
          const float d = piece[i + k] - reference;
          const float e = exp_nonpositive(d);
          piece[i + k] = e;
          sums[k] += e;
          dots[k] += d;
        }
      }
      weight_of_piece = static_cast<float>(count);
    } else {
      float weights[kLossChunk] = {};
      for (; i + kLossChunk <= count; i += kLossChunk) {
        ahead.fetch(first + i);
        for (int k = 0; k < kLossChunk; ++k) {
          const float d = piece[i + k] - reference;
          const float e = exp_nonpositive(d);
          piece[i + k] = e;
          sums[k] += e;
          dots[k] += d * rule.weight[first + i + k];
          weights[k] += rule.weight[first + i + k];
        }
      }
      for (int k = 0; k < count - i; ++k) {
        weights[k] += rule.weight[first + i + k];
      }
      weight_of_piece = fold<kLossChunk>(weights, Plus{});
    }
    if (i < count) {
      for (int k = 0; k < count - i; ++k) {
        const float w = rule.weight == nullptr ? 1.0f : rule.weight[first + i + k];
        dots[k] += (piece[i + k] - reference) * w;
      }
      for (int k = 0; k < kLossChunk; ++k) {
        const float e = exp_nonpositive(piece[i + k] - reference);
        piece[i + k] = e;
        sums[k] += e;
      }
    }
    dot += static_cast<double>(fold<kLossChunk>(dots, Plus{})) +
           static_cast<double>(weight_of_piece) * static_cast<double>(reference);
  }
  return {most, fold<kLossChunk>(sums, Plus{}) + (most - most), dot};
}

/// smoothed_cross_entropy_rows for one row.
template <class Format>
REGTORCH_INLINE double loss_by_row(const SmoothedTargets& rule, const LossRows<Format>& rows,
                                   std::int64_t row) {
  using Stored = typename Format::Stored;
  const Stored* logits = rows.logits + row * rule.classes;
  Stored* gradient = rows.gradient == nullptr ? nullptr : rows.gradient + row * rule.classes;
  const std::int64_t target = rows.targets[row];
  if (target == rule.ignore_index) {
    if (gradient != nullptr) {
      std::fill(gradient, gradient + rule.classes, Stored{});
    }
    return 0;
  }
  alignas(64) float piece[kLossPiece];
  // A gradient that is not written soon, or not at all, is not asked for.
  const bool soon = gradient != nullptr && rule.classes <= kLossPiece;
  const Ahead<Stored> ahead{logits, soon ? gradient : logits,
                            std::min<std::int64_t>(rule.classes, kLossPiece)};
  const RowSums sums = sums_of_row<Format>(rule, logits, piece, ahead);
  const float log_sum = log_of_sum(sums.sum);
  const float weight_of_target = rule.weight_of(target);
  const float on_target = rule.scale * weight_of_target;
  const float excess = Format::read(logits[target]) - sums.most;
  float loss = on_target * (log_sum - excess);
  if (rule.floor != 0) {
    loss += rule.floor * (rule.weight_sum * log_sum -
                          static_cast<float>(sums.dot - static_cast<double>(rule.weight_sum) *
                                                            static_cast<double>(sums.most)));
  }
  if (gradient == nullptr) {
    return loss;
  }
  const float factor = rows.factors == nullptr ? rows.factor : rows.factors[row];
  const float a = factor * (on_target + rule.floor * rule.weight_sum) / sums.sum;
  const float b = factor * rule.floor;
  for (std::int64_t first = 0; first < rule.classes; first += kLossPiece) {
    const int count = static_cast<int>(std::min<std::int64_t>(kLossPiece, rule.classes - first));
    if (rule.classes > kLossPiece) {
      int i = 0;
      for (; i + kLossChunk <= count; i += kLossChunk) {
        for (int k = 0; k < kLossChunk; ++k) {
          piece[i + k] = exp_nonpositive(Format::read(logits[first + i + k]) - sums.most);
        }
      }
      for (; i < count; ++i) {
        piece[i] = exp_nonpositive(Format::read(logits[first + i]) - sums.most);
      }
    }
    Stored* to = gradient + first;
    int i = 0;
    if (rule.weight == nullptr) {
      for (; i + kLossChunk <= count; i += kLossChunk) {
        for (int k = 0; k < kLossChunk; ++k) {
          to[i + k] = Format::write(piece[i + k] * a - b);
        }
      }
    } else {
      const float* weight = rule.weight + first;
      for (; i + kLossChunk <= count; i += kLossChunk) {
        float scaled[kLossChunk];
        for (int k = 0; k < kLossChunk; ++k) {
          scaled[k] = piece[i + k] * a - b * weight[i + k];
        }
        for (int k = 0; k < kLossChunk; ++k) {
          to[i + k] = Format::write(scaled[k]);
        }
      }
    }
    for (; i < count; ++i) {
      to[i] = Format::write(piece[i] * a - b * rule.weight_of(first + i));
    }
    if (target >= first && target < first + count) {
      to[target - first] =
          Format::write(piece[target - first] * a - b * weight_of_target - factor * on_target);
    }
  }
  return loss;
}

}  // namespace regtorch::kernels
