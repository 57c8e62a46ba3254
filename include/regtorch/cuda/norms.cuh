#pragma once

#include <cstdint>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/multi_tensor.cuh"
#include "regtorch/kernels/device_arrays.hpp"
#include "regtorch/kernels/sums.hpp"

/// Sums over weights or gradients in float64, as on the CPU, and what is done with them. They are
/// added in an order that the arrays' sizes decide: the same bits each time, on each device, and
/// wherever the arrays lie.
namespace regtorch::cuda {

/// Threads of the one block that adds up what the others left: as many as there can be, as one
/// multiprocessor reads alone.
inline constexpr int kLastBlock = 1024;

/// The sum of all lanes, in each.
__device__ __forceinline__ double warp_sum(double mine) {
  for (int apart = kWarp / 2; apart > 0; apart /= 2) {
    mine += __shfl_xor_sync(0xFFFFFFFF, mine, apart);
  }
  return mine;
}

/// The sum of all threads of a block, in thread 0; to be called once in a kernel.
template <bool kAbsolute, bool kSquares, int threads>
__device__ __forceinline__ kernels::Sums block_sum(kernels::Sums mine) {
  constexpr int kWarps = threads / kWarp;
  __shared__ double absolute[kWarps];
  __shared__ double squares[kWarps];
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if constexpr (kAbsolute) {
    absolute[warp] = warp_sum(mine.absolute);
  }
  if constexpr (kSquares) {
    squares[warp] = warp_sum(mine.squares);
  }
  __syncthreads();
  kernels::Sums total;
  if (warp == 0) {
    if constexpr (kAbsolute) {
      total.absolute = warp_sum(lane < kWarps ? absolute[lane] : 0);
    }
    if constexpr (kSquares) {
      total.squares = warp_sum(lane < kWarps ? squares[lane] : 0);
    }
  }
  return total;
}

/// The wanted sums of each chunk, the other being 0.
///
/// Bytes moved an element: 4 read; 16 written a chunk. Each element costs a conversion to float64
/// and an operation or two, which GPUs with one float64 unit for 32 or 64 others do about as fast
/// as their memory delivers.
template <bool kAbsolute, bool kSquares>
__global__ void __launch_bounds__(kBlock)
    sums_kernel(const __grid_constant__ ArrayList<kernels::WeightArrays> list,
                kernels::Sums* of_chunks) {
  const auto chunk = chunk_of_block(list);
  const float* in = chunk.arrays.in;
  const bool aligned = are_aligned(in);
  kernels::Sums mine;
  // Runs of four in any case: which thread adds what must not depend on where an array lies.
  visit_chunk(chunk, true, [&](std::int64_t i, auto n) {
    float x[n];
    load_run(in, i, x, aligned);
    for (int k = 0; k < n; ++k) {
      const auto wide = static_cast<double>(x[k]);
      if constexpr (kAbsolute) {
        mine.absolute += fabs(wide);
      }
      if constexpr (kSquares) {
        mine.squares = __fma_rn(wide, wide, mine.squares);
      }
    }
  });
  mine = block_sum<kAbsolute, kSquares, kBlock>(mine);
  if (threadIdx.x == 0) {
    of_chunks[blockIdx.x] = mine;
  }
}

/// Writes the sums of each chunk to `of_chunks` and returns how many there are.
template <bool kAbsolute, bool kSquares>
std::int64_t sums_of_chunks(const char* name, const kernels::WeightArrays* arrays,
                            std::int64_t count, kernels::Sums* of_chunks, cudaStream_t queue) {
  std::int64_t before = 0;
  for_each_list(arrays, count, [&](const auto& list, std::int64_t chunks) {
    launch(name, sums_kernel<kAbsolute, kSquares>, grid_of_chunks(chunks), kBlock, queue, list,
           of_chunks + before);
    before += chunks;
  });
  return before;
}

/// The sum of `count` sums, in thread 0 of a block of kLastBlock threads.
template <bool kAbsolute, bool kSquares>
__device__ __forceinline__ kernels::Sums add_up(const kernels::Sums* parts, std::int64_t count) {
  kernels::Sums mine;
  for (std::int64_t i = threadIdx.x; i < count; i += kLastBlock) {
    mine += parts[i];
  }
  return block_sum<kAbsolute, kSquares, kLastBlock>(mine);
}

/// The norm, and by what to multiply for one of at most `max_norm`: rounded as clip_grad_norm_ does
/// on the CPU.
template <class Norm>
__global__ void __launch_bounds__(kLastBlock)
    clip_factor_kernel(const kernels::Sums* parts, std::int64_t count, double max_norm, Norm* norm,
                       float* factor) {
  const double squares = add_up<false, true>(parts, count).squares;
  if (threadIdx.x == 0) {
    *norm = static_cast<Norm>(sqrt(squares));
    *factor = static_cast<float>(max_norm / (static_cast<double>(*norm) + 1e-6));
  }
}

/// out <- factor * in, unless that is 1 and more: then nothing is written. A factor that is not a
/// number is less.
///
/// Bytes moved an element: 8, 4 read and 4 written, or none.
template <class Factor>
__global__ void __launch_bounds__(kBlock)
    scale_down_kernel(const __grid_constant__ ArrayList<kernels::WeightArrays> list,
                      const Factor* factor) {
  const Factor by = *factor;
  if (by >= 1) {
    return;
  }
  const auto chunk = chunk_of_block(list);
  const kernels::WeightArrays& a = chunk.arrays;
  visit_chunk(chunk, are_aligned(a.in, a.out), [&](std::int64_t i, auto n) {
    float x[n];
    load_run(a.in, i, x);
    for (int k = 0; k < n; ++k) {
      x[k] *= by;
    }
    store_run(a.out, i, x);
  });
}

/// Scales all arrays, which are their own `out`, to a common norm of at most `max_norm`, without a
/// look at the device: out <- in * max_norm / (norm + 1e-6) where that is less. 4 bytes are read an
/// element, and where it is, 4 are read again and 4 written.
///
/// @param arrays     `count` of them, on the host
/// @param of_chunks  scratch, one for each chunk of an array
/// @param norm       that before
/// @param factor     what was multiplied by, or 1 and more
inline void clip_norm(const kernels::WeightArrays* arrays, std::int64_t count, double max_norm,
                      kernels::Sums* of_chunks, float* norm, float* factor, cudaStream_t queue) {
  constexpr const char* kName = "clip_grad_norm_";
  const std::int64_t chunks = sums_of_chunks<false, true>(kName, arrays, count, of_chunks, queue);
  launch(kName, clip_factor_kernel<float>, dim3(1), kLastBlock, queue, of_chunks, chunks, max_norm,
         norm, factor);
  for_each_list(arrays, count, [&](const auto& list, std::int64_t chunks_of_list) {
    launch(kName, scale_down_kernel<float>, grid_of_chunks(chunks_of_list), kBlock, queue, list,
           factor);
  });
}

}  // namespace regtorch::cuda
