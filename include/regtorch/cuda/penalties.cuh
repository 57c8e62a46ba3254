#pragma once

#include <cstdint>
#include <type_traits>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/multi_tensor.cuh"
#include "regtorch/cuda/norms.cuh"
#include "regtorch/kernels/device_arrays.hpp"
#include "regtorch/kernels/sums.hpp"

namespace regtorch::cuda {

/// The penalty's value, of the sums of chunks.
template <bool kL1, bool kL2>
__global__ void __launch_bounds__(kLastBlock)
    penalty_value_kernel(const kernels::Sums* parts, std::int64_t count, double l1, double l2,
                         float* value) {
  const kernels::Sums total = add_up<kL1, kL2>(parts, count);
  if (threadIdx.x == 0) {
    double sum = 0;
    if constexpr (kL1) {
      sum += l1 * total.absolute;
    }
    if constexpr (kL2) {
      sum += l2 * total.squares;
    }
    *value = static_cast<float>(sum);
  }
}

/// Its gradient times `incoming`, which lies on the device, as kernels::penalty_gradient:
///
///     out[i] = incoming * (l1 * sign(in[i]) + 2 * l2 * in[i])
///
/// Bytes moved an element: 8, 4 read and 4 written. (Without an L2 penalty too: a sign is read.)
template <class Incoming>
__global__ void __launch_bounds__(kBlock)
    penalty_gradient_kernel(const __grid_constant__ ArrayList<kernels::WeightArrays> list,
                            double l1, double l2, const Incoming* incoming) {
  const auto scale = static_cast<double>(*incoming);
  const auto by_sign = static_cast<float>(scale * l1);
  const auto by_value = static_cast<float>(2 * (scale * l2));
  const auto chunk = chunk_of_block(list);
  const kernels::WeightArrays& a = chunk.arrays;
  visit_chunk(chunk, are_aligned(a.in, a.out), [&](std::int64_t i, auto n) {
    float x[n];
    load_run(a.in, i, x);
    for (int k = 0; k < n; ++k) {
      const float sign = x[k] > 0 ? by_sign : x[k] < 0 ? -by_sign : 0.0f;
      x[k] = __fmaf_rn(by_value, x[k], sign);
    }
    store_run(a.out, i, x);
  });
}

/// The penalty of all arrays' `in`, 4 bytes read an element.
///
/// @param arrays     `count` of them, on the host
/// @param of_chunks  scratch, one for each chunk of an array
/// @param value      one number
inline void penalty(const kernels::WeightArrays* arrays, std::int64_t count,
                    const kernels::PenaltyRule& rule, kernels::Sums* of_chunks, float* value,
                    cudaStream_t queue) {
  const auto run = [&]<bool kL1, bool kL2>(std::bool_constant<kL1>, std::bool_constant<kL2>) {
    constexpr const char* kName = "a penalty";
    const std::int64_t chunks = sums_of_chunks<kL1, kL2>(kName, arrays, count, of_chunks, queue);
    launch(kName, penalty_value_kernel<kL1, kL2>, dim3(1), kLastBlock, queue, of_chunks, chunks,
           rule.l1, rule.l2, value);
  };
  if (rule.has_l1 && rule.has_l2) {
    run(std::true_type{}, std::true_type{});
  } else if (rule.has_l1) {
    run(std::true_type{}, std::false_type{});
  } else {
    run(std::false_type{}, std::true_type{});
  }
}

/// The gradient of it, to all arrays' `out`.
///
/// @param incoming  one number, on the device
inline void penalty_gradient(const kernels::WeightArrays* arrays, std::int64_t count,
                             const kernels::PenaltyRule& rule, const float* incoming,
                             cudaStream_t queue) {
  for_each_list(arrays, count, [&](const auto& list, std::int64_t chunks) {
    launch("a penalty's gradient", penalty_gradient_kernel<float>, grid_of_chunks(chunks), kBlock,
           queue, list, rule.has_l1 ? rule.l1 : 0, rule.has_l2 ? rule.l2 : 0, incoming);
  });
}

}  // namespace regtorch::cuda
