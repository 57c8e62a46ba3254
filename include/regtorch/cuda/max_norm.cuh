#pragma once

#include <cstdint>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/multi_tensor.cuh"
#include "regtorch/cuda/norms.cuh"
#include "regtorch/kernels/device_arrays.hpp"

namespace regtorch::cuda {

inline constexpr int kFiltersOfBlock = kBlock / kWarp;
static_assert(kFiltersOfBlock == kernels::FilterArrays::kWarpsOfBlock);

/// Scales each filter down to a norm of at most `max_norm`, its squares added in float64 and the
/// rest rounded as max_norm_ does on the CPU.
///
/// Bytes moved an element: 4 read, and 4 written in filters above the limit, which are read a
/// second time, from the cache.
template <class Weight>
__global__ void __launch_bounds__(kBlock)
    max_norm_kernel(const __grid_constant__ ArrayList<kernels::FilterArrays> list,
                    double max_norm) {
  const Place place = place_of_block(list);
  const kernels::FilterArrays a = list.arrays[place.arrays];
  const int thread = static_cast<int>(threadIdx.x);
  const bool whole_block = a.take_a_block();
  const int rank = whole_block ? thread : thread % kWarp;
  const int ranks = whole_block ? kBlock : kWarp;
  const std::int64_t filter =
      whole_block ? place.chunk : place.chunk * kFiltersOfBlock + thread / kWarp;
  Weight* const w = a.w + filter * a.size;
  const std::int64_t size = filter < a.filters ? a.size : 0;
  const bool aligned = are_aligned(w);
  double squares = 0;
  visit_elements(0, size, rank, ranks, true, [&](std::int64_t i, auto n) {
    Weight x[n];
    load_run(w, i, x, aligned);
    for (int k = 0; k < n; ++k) {
      const auto wide = static_cast<double>(x[k]);
      squares = __fma_rn(wide, wide, squares);
    }
  });
  squares = warp_sum(squares);
  if (whole_block) {
    __shared__ double of_warp[kFiltersOfBlock];
    of_warp[thread / kWarp] = squares;
    __syncthreads();
    squares = 0;
    for (const double part : of_warp) {
      squares += part;
    }
  }
  const auto norm = static_cast<Weight>(sqrt(squares));
  if (static_cast<double>(norm) > max_norm) {
    const auto by = static_cast<Weight>(max_norm / (static_cast<double>(norm) + 1e-7));
    visit_elements(0, size, rank, ranks, aligned, [&](std::int64_t i, auto n) {
      Weight x[n];
      load_run(w, i, x);
      for (int k = 0; k < n; ++k) {
        x[k] *= by;
      }
      store_run(w, i, x);
    });
  }
}

/// @param arrays  `count` of them, on the host
inline void max_norm(const kernels::FilterArrays* arrays, std::int64_t count, double max_norm,
                     cudaStream_t queue) {
  for_each_list(arrays, count, [&](const auto& list, std::int64_t chunks) {
    launch("max_norm_", max_norm_kernel<float>, grid_of_chunks(chunks), kBlock, queue, list,
           max_norm);
  });
}

}  // namespace regtorch::cuda
