#pragma once

#include <cstdint>
#include <cstdio>

#include "regtorch/cuda/launch.cuh"
#include "regtorch/cuda/random.cuh"
#include "regtorch/kernels/disturb_rule.hpp"

namespace regtorch::cuda {

/// DisturbLabel: the labels of kernels::disturb_labels, bit for bit.
///
/// Bytes moved: a label is read once and written once, 8 + 8 (int64) or 4 + 4 (int32). A thread has
/// four labels, whose loads are under way together; its arithmetic, a Philox block, is about 100
/// instructions for 64 bytes, which the memory of no GPU so far is fast enough to make the limit.
template <class Label>
__global__ void __launch_bounds__(kBlock)
    disturb_labels_kernel(const Label* in, Label* out, std::int64_t count, Label keep,
                          kernels::DisturbRule rule, kernels::RandomStream stream) {
  for_each_random_word(count, stream, [&](std::int64_t i, std::uint32_t word) {
    const Label label = in[i];
    if (label == keep) {
      out[i] = label;
      return;
    }
    if (label < 0 || label >= static_cast<std::int64_t>(rule.classes)) {
      printf("regtorch DisturbLabel: wanted labels in [0, %u) or %lld, got %lld at place %lld\n",
             rule.classes, static_cast<long long>(keep), static_cast<long long>(label),
             static_cast<long long>(i));
      __trap();
    }
    const std::uint32_t drawn = rule(word);
    out[i] = drawn < rule.classes ? static_cast<Label>(drawn) : label;
  });
}

template <class Label>
void disturb_labels(const Label* in, Label* out, std::int64_t count, std::int64_t keep,
                    kernels::DisturbRule rule, kernels::RandomStream stream, cudaStream_t queue) {
  if (count > 0) {
    launch("DisturbLabel", disturb_labels_kernel<Label>, grid_of_random_words(count), kBlock, queue,
           in, out, count, static_cast<Label>(keep), rule, stream);
  }
}

}  // namespace regtorch::cuda
