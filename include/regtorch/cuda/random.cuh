#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/kernels/philox.hpp"

/// One random word for each element of an array, the same word as on the CPU.
namespace regtorch::cuda {

/// Elements that the 32 blocks of a warp serve, as kernels::kPhiloxGroup of philox_lanes.hpp.
inline constexpr int kRandomGroup = 4 * kWarp;

/// For the groups of kRandomGroup elements that are this warp's, calls visit(element, word) for
/// this lane's elements: four in each group, a warp's width apart, so that the lanes' addresses are
/// neighbours. Ragged ends are not visited.
template <class Visit>
__device__ __forceinline__ void for_each_random_word(std::int64_t count,
                                                     kernels::RandomStream stream,
                                                     const Visit& visit) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t warps = std::int64_t{gridDim.x} * (blockDim.x / kWarp);
  std::int64_t group =
      std::int64_t{blockIdx.x} * (blockDim.x / kWarp) + static_cast<int>(threadIdx.x) / kWarp;
  for (; group * kRandomGroup < count; group += warps) {
    const kernels::PhiloxBlock words =
        stream.block(static_cast<std::uint64_t>(group * kWarp + lane));
    for (int k = 0; k < 4; ++k) {
      const std::int64_t element = group * kRandomGroup + k * kWarp + lane;
      if (element < count) {
        visit(element, words[static_cast<std::size_t>(k)]);
      }
    }
  }
}

/// The grid for for_each_random_word in blocks of kBlock threads.
inline dim3 grid_of_random_words(std::int64_t count) {
  return grid_of(divide_up(count, kRandomGroup * (kBlock / kWarp)));
}

}  // namespace regtorch::cuda
