#pragma once

#include <cstdint>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/multi_tensor.cuh"
#include "regtorch/kernels/sgd_rule.hpp"

namespace regtorch::cuda {

/// kernels::SgdRule in float32.
struct SgdFloats {
  explicit SgdFloats(const kernels::SgdRule& rule)
      : rate(static_cast<float>(-rule.rate)),
        momentum(static_cast<float>(rule.momentum)),
        gradient(static_cast<float>(rule.gradient)),
        decay(static_cast<float>(rule.decay)),
        nesterov(rule.nesterov) {}

  float rate, momentum, gradient, decay;
  bool nesterov;
};

/// One step of SGD, rounded as kernels::sgd_step does on x86-64-v3, whatever flags it is compiled
/// with.
///
/// Bytes moved an element: 20, 12 read and 8 written; without momentum 12, 8 read and 4 written.
/// The block shape is that of Adam's step.
template <bool kMomentum>
__global__ void __launch_bounds__(kBlock)
    sgd_step_kernel(const __grid_constant__ ArrayList<kernels::StepArrays> list,
                    const SgdFloats with) {
  const auto chunk = chunk_of_block(list);
  const kernels::StepArrays& a = chunk.arrays;
  const bool packs = are_aligned(a.p, a.g, kMomentum ? a.first : nullptr);
  visit_chunk(chunk, packs, [&](std::int64_t i, auto n) {
    float p[n], g[n];
    [[maybe_unused]] float b[n];
    load_run(a.p, i, p);
    load_run(a.g, i, g);
    if constexpr (kMomentum) {
      load_run(a.first, i, b);
    }
    for (int k = 0; k < n; ++k) {
      float step = with.decay != 0 ? __fmaf_rn(p[k], with.decay, g[k]) : g[k];
      if constexpr (kMomentum) {
        b[k] = __fmaf_rn(step, with.gradient, __fmul_rn(b[k], with.momentum));
        step = with.nesterov ? __fmaf_rn(b[k], with.momentum, step) : b[k];
      }
      p[k] = __fmaf_rn(step, with.rate, p[k]);
    }
    store_run(a.p, i, p);
    if constexpr (kMomentum) {
      store_run(a.first, i, b);
    }
  });
}

/// @param arrays  `count` of them, on the host; `first` is not touched without momentum
inline void sgd_step(const kernels::StepArrays* arrays, std::int64_t count,
                     const kernels::SgdRule& rule, cudaStream_t queue) {
  const SgdFloats with(rule);
  const auto kernel = with.momentum != 0 ? sgd_step_kernel<true> : sgd_step_kernel<false>;
  for_each_list(arrays, count, [&](const auto& list, std::int64_t chunks) {
    launch("FusedSGD", kernel, grid_of_chunks(chunks), kBlock, queue, list, with);
  });
}

}  // namespace regtorch::cuda
