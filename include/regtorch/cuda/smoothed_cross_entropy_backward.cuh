#pragma once

#include <cstdint>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/smoothed_rows.cuh"

namespace regtorch::cuda {

/// The gradient of the logits, with p_c from the forward pass's statistics,
///
///     factor * (p_c (scale w_t + floor sum_d w_d) - floor w_c - [c = t] scale w_t)
///
/// Bytes moved an element: as many read as the forward pass reads, and as many written.
///
/// @param factors  on the device: one, or if each_row one a row
/// @param gradient  like the logits
template <class Element, int threads_of_row>
__global__ void __launch_bounds__(kRowBlock)
    smoothed_cross_entropy_backward_kernel(kernels::SmoothedRows all,
                                           const RowStatistics* statistics, const float* factors,
                                           bool each_row, Element* gradient) {
  constexpr int kRows = kRowBlock / threads_of_row;
  const int rank = static_cast<int>(threadIdx.x) % threads_of_row;
  const int place = static_cast<int>(threadIdx.x) / threads_of_row;
  const std::int64_t step = std::int64_t{gridDim.x} * kRows;
  const float weight_sum =
      all.weight == nullptr ? static_cast<float>(all.classes) : *all.weight_sum;
  for (std::int64_t row = std::int64_t{blockIdx.x} * kRows + place; row < all.rows; row += step) {
    const Element* logits = static_cast<const Element*>(all.logits) + row * all.classes;
    Element* out = gradient + row * all.classes;
    const std::int64_t target = all.targets[row];
    const bool kept = target != all.ignore_index;
    const float factor = kept ? factors[each_row ? row : 0] : 0.0f;
    const float w = kept && all.weight != nullptr ? all.weight[target] : 1.0f;
    const float own = factor * all.scale * w;
    const float floor = factor * all.floor;
    const float of_p = own + floor * weight_sum;
    const RowStatistics row_has = statistics[row];
    for_each_run<(threads_of_row >= kWarp)>(
        logits, all.classes, rank, threads_of_row, [&](std::int64_t c, auto n) {
          float x[n];
          read_run<n>(logits, c, x);
          for (int k = 0; k < n; ++k) {
            const float p = __expf((x[k] - row_has.most) - row_has.log_sum);
            const float even =
                all.weight == nullptr || floor == 0 ? floor : floor * all.weight[c + k];
            const float g = of_p * p - even - (c + k == target ? own : 0.0f);
            x[k] = kept ? g : 0.0f;  // whatever the logits are
          }
          write_run<n>(x, out, c);
        });
  }
}

template <class Element>
void smoothed_cross_entropy_backward(const kernels::SmoothedRows& all,
                                     const RowStatistics* statistics, const float* factors,
                                     bool each_row, Element* gradient, cudaStream_t queue) {
  if (all.rows == 0) {
    return;
  }
  with_threads_of_row(all.classes, [&](auto threads) {
    launch("LabelSmoothingLoss's gradient",
           smoothed_cross_entropy_backward_kernel<Element, threads>,
           grid_of_rows(all.rows, threads), kRowBlock, queue, all, statistics, factors, each_row,
           gradient);
  });
}

}  // namespace regtorch::cuda
