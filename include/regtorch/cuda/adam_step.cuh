#pragma once

#include <cstdint>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/multi_tensor.cuh"
#include "regtorch/kernels/adam_rule.hpp"

namespace regtorch::cuda {

/// kernels::AdamRule in float32.
struct AdamFloats {
  explicit AdamFloats(const kernels::AdamRule& rule)
      : beta1(static_cast<float>(rule.beta1)),
        beta2(static_cast<float>(rule.beta2)),
        gradient1(static_cast<float>(rule.gradient1)),
        gradient2(static_cast<float>(rule.gradient2)),
        rate(static_cast<float>(-rule.rate)),
        scale(static_cast<float>(rule.scale)),
        eps(static_cast<float>(rule.eps)),
        decay(static_cast<float>(rule.decay)),
        keep(static_cast<float>(rule.keep)) {}

  float beta1, beta2, gradient1, gradient2, rate, scale, eps, decay, keep;
};

/// One step of Adam or AdamW, rounded as kernels::adam_step does on x86-64-v3, whatever flags it is
/// compiled with.
///
/// Bytes moved an element: 28, 16 read and 12 written. A thread has four elements of each of the
/// four arrays under way, 64 bytes; the 1,024 threads and more that fit a multiprocessor keep its
/// share of the memory busy without a longer run each.
template <bool kDecays>
__global__ void __launch_bounds__(kBlock)
    adam_step_kernel(const __grid_constant__ ArrayList<kernels::StepArrays> list,
                     const AdamFloats with) {
  const auto chunk = chunk_of_block(list);
  const kernels::StepArrays& a = chunk.arrays;
  visit_chunk(chunk, are_aligned(a.p, a.g, a.first, a.second), [&](std::int64_t i, auto n) {
    float p[n], g[n], m[n], v[n];
    load_run(a.p, i, p);
    load_run(a.g, i, g);
    load_run(a.first, i, m);
    load_run(a.second, i, v);
    for (int k = 0; k < n; ++k) {
      const float gradient = kDecays ? __fmaf_rn(p[k], with.decay, g[k]) : g[k];
      m[k] = __fmaf_rn(gradient, with.gradient1, __fmul_rn(m[k], with.beta1));
      v[k] = __fmaf_rn(__fmul_rn(with.gradient2, gradient), gradient, __fmul_rn(v[k], with.beta2));
      const float below = __fmaf_rn(__fsqrt_rn(v[k]), with.scale, with.eps);
      p[k] = __fmaf_rn(p[k], with.keep, __fdiv_rn(__fmul_rn(with.rate, m[k]), below));
    }
    store_run(a.p, i, p);
    store_run(a.first, i, m);
    store_run(a.second, i, v);
  });
}

/// @param arrays  `count` of them, on the host
inline void adam_step(const kernels::StepArrays* arrays, std::int64_t count,
                      const kernels::AdamRule& rule, cudaStream_t queue) {
  const AdamFloats with(rule);
  const auto kernel = with.decay != 0 ? adam_step_kernel<true> : adam_step_kernel<false>;
  for_each_list(arrays, count, [&](const auto& list, std::int64_t chunks) {
    launch("FusedAdam", kernel, grid_of_chunks(chunks), kBlock, queue, list, with);
  });
}

}  // namespace regtorch::cuda
