#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/smoothed_rows.cuh"

namespace regtorch::cuda {

/// A part of a row: its greatest logit m, and sums that are relative to it, so that neither large
/// logits overflow nor their differences lose digits.
struct RowSums {
  float most = -FLT_MAX;  ///< or -FLT_MAX where that is greater
  float sum = 0;          ///< of exp(x_c - m)
  float weight = 0;       ///< of w_c; 0 if the floor is 0, as `dot`
  float dot = 0;          ///< of w_c (x_c - m)

  /// Makes the sums relative to `next`, at least m.
  __device__ __forceinline__ void raise(float next) {
    const float shift = most - next;  // -inf, perhaps, where nothing was added yet
    sum *= __expf(shift);
    dot += weight == 0 ? 0.0f : weight * shift;
    most = next;
  }
  __device__ __forceinline__ void add(const RowSums& other) {
    RowSums raised = other;
    const float next = fmaxf(most, other.most);
    raised.raise(next);
    raise(next);
    sum += raised.sum;
    weight += raised.weight;
    dot += raised.dot;
  }
};

/// The sums of `width` neighbouring lanes, in each of them.
template <int width>
__device__ __forceinline__ RowSums sums_of_lanes(RowSums sums) {
  for (int apart = width / 2; apart > 0; apart /= 2) {
    RowSums other;
    other.most = __shfl_xor_sync(0xFFFFFFFFu, sums.most, apart);
    other.sum = __shfl_xor_sync(0xFFFFFFFFu, sums.sum, apart);
    other.weight = __shfl_xor_sync(0xFFFFFFFFu, sums.weight, apart);
    other.dot = __shfl_xor_sync(0xFFFFFFFFu, sums.dot, apart);
    sums.add(other);
  }
  return sums;
}

/// The sums of all threads of a block of kRowBlock, in its first warp.
__device__ inline RowSums sums_of_block(RowSums sums) {
  constexpr int kWarps = kRowBlock / kWarp;
  __shared__ float most[kWarps];
  __shared__ float sum[kWarps];
  __shared__ float weight[kWarps];
  __shared__ float dot[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  sums = sums_of_lanes<kWarp>(sums);
  if (lane == 0) {
    most[warp] = sums.most;
    sum[warp] = sums.sum;
    weight[warp] = sums.weight;
    dot[warp] = sums.dot;
  }
  __syncthreads();
  RowSums all;
  if (warp == 0) {
    if (lane < kWarps) {
      all.most = most[lane];
      all.sum = sum[lane];
      all.weight = weight[lane];
      all.dot = dot[lane];
    }
    all = sums_of_lanes<kWarp>(all);
  }
  __syncthreads();  // before the next row is written where this one is read
  return all;
}

/// The loss and the statistics of each row: its logits are read once.
///
/// Bytes moved an element: 4 (float32) or 2 (float16, bfloat16) read; of each row, 8 read for its
/// label and 16 written.
///
/// @param losses   [rows], the labels' weights in `weights`: 0 and 0 where the label is ignored
/// @param weights  [rows]: what the mean divides by the sum of
template <class Element, int threads_of_row>
__global__ void __launch_bounds__(kRowBlock)
    smoothed_cross_entropy_forward_kernel(kernels::SmoothedRows all, float* losses, float* weights,
                                          RowStatistics* statistics) {
  constexpr int kRows = kRowBlock / threads_of_row;
  const int rank = static_cast<int>(threadIdx.x) % threads_of_row;
  const int place = static_cast<int>(threadIdx.x) / threads_of_row;
  const std::int64_t step = std::int64_t{gridDim.x} * kRows;
  const float weight_sum =
      all.weight == nullptr ? static_cast<float>(all.classes) : *all.weight_sum;
  // By the block's first row, so that all lanes of a warp go round as often, with a row or without.
  for (std::int64_t first = std::int64_t{blockIdx.x} * kRows; first < all.rows; first += step) {
    const std::int64_t row = first + place;
    const bool has_row = row < all.rows;
    const Element* logits =
        static_cast<const Element*>(all.logits) + (has_row ? row : 0) * all.classes;
    RowSums sums;
    for_each_run<(threads_of_row >= kWarp)>(
        logits, has_row ? all.classes : 0, rank, threads_of_row, [&](std::int64_t c, auto n) {
          float x[n];
          read_run<n>(logits, c, x);
          float next = sums.most;
          for (int k = 0; k < n; ++k) {
            next = fmaxf(next, x[k]);
          }
          sums.raise(next);
          for (int k = 0; k < n; ++k) {
            sums.sum += __expf(x[k] - next);
          }
          if (all.floor != 0) {
            for (int k = 0; k < n; ++k) {
              const float w = all.weight == nullptr ? 1.0f : all.weight[c + k];
              sums.weight += w;
              sums.dot += w * (x[k] - next);
            }
          }
        });
    if constexpr (threads_of_row > kWarp) {
      sums = sums_of_block(sums);
    } else {
      sums = sums_of_lanes<threads_of_row>(sums);
    }
    if (!has_row || rank != 0) {
      continue;
    }
    const std::int64_t target = checked_target(all, row);
    // A row of -inf alone has no probabilities, and one with inf or nan neither.
    const float log_sum = sums.sum > 0 && sums.most <= FLT_MAX ? logf(sums.sum) : NAN;
    statistics[row] = {sums.most, log_sum};
    if (target == all.ignore_index) {
      losses[row] = 0;
      weights[row] = 0;
      continue;
    }
    const float w = all.weight == nullptr ? 1.0f : all.weight[target];
    const float own = to_float(logits[target]) - sums.most;
    float loss = all.scale * w * (log_sum - own);
    if (all.floor != 0) {
      loss += all.floor * (weight_sum * log_sum - sums.dot);
    }
    losses[row] = loss;
    weights[row] = w;
  }
}

template <class Element>
void smoothed_cross_entropy_forward(const kernels::SmoothedRows& all, float* losses, float* weights,
                                    RowStatistics* statistics, cudaStream_t queue) {
  if (all.rows == 0) {
    return;
  }
  with_threads_of_row(all.classes, [&](auto threads) {
    launch("LabelSmoothingLoss", smoothed_cross_entropy_forward_kernel<Element, threads>,
           grid_of_rows(all.rows, threads), kRowBlock, queue, all, losses, weights, statistics);
  });
}

}  // namespace regtorch::cuda
