#pragma once

#include <cstdint>
#include <type_traits>

#include "regtorch/cuda/element.cuh"
#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/random.cuh"
#include "regtorch/kernels/normal.hpp"

namespace regtorch::cuda {

/// DisturbValue: which values are disturbed is decided as by kernels::disturb_values, bit for bit;
/// by how much, to a few units in the last place of float64.
///
/// Bytes moved: a value is read once and written once. What is disturbed costs a logarithm and a
/// cosine in float64, of which GPUs without many float64 units do one in 32 of their arithmetic:
/// at alpha 10 that, and not the memory, is the limit there.
template <class Value>
__global__ void __launch_bounds__(kBlock)
    disturb_values_kernel(const Value* in, Value* out, std::int64_t count, std::uint64_t yes,
                          double sigma, kernels::RandomStream stream) {
  const kernels::RandomStream numbers{stream.seed, stream.pass, stream.purpose + 1};
  for_each_random_word(count, stream, [&](std::int64_t i, std::uint32_t word) {
    if (word >= yes) {
      out[i] = in[i];
      return;
    }
    const double noise =
        sigma * kernels::standard_normal(numbers.block(static_cast<std::uint64_t>(i)));
    if constexpr (std::is_same_v<Value, double>) {
      out[i] = in[i] + noise;
    } else {
      out[i] = from_float<Value>(static_cast<float>(static_cast<double>(to_float(in[i])) + noise));
    }
  });
}

template <class Value>
void disturb_values(const Value* in, Value* out, std::int64_t count, std::uint64_t yes,
                    double sigma, kernels::RandomStream stream, cudaStream_t queue) {
  if (count > 0) {
    launch("DisturbValue", disturb_values_kernel<Value>, grid_of_random_words(count), kBlock, queue,
           in, out, count, yes, sigma, stream);
  }
}

}  // namespace regtorch::cuda
