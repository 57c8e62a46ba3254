#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/ops/constant_pad_nd.h>

namespace regtorch::detail {

/// The sum of all elements, the same bit for bit for any number of threads, which at::sum to a
/// scalar is not: blocks of a fixed size in one thread each, then the sums of blocks.
inline at::Tensor sum_in_blocks(at::Tensor x) {
  constexpr std::int64_t kBlock = 4096;
  x = x.reshape(-1);
  while (x.numel() > kBlock) {
    const std::int64_t beyond = x.numel() % kBlock;
    if (beyond != 0) {
      x = at::constant_pad_nd(x, {0, kBlock - beyond});
    }
    x = x.view({-1, kBlock}).sum(1);
  }
  return x.sum();
}

}  // namespace regtorch::detail
