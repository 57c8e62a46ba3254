#pragma once

// The weights that the benchmarks of this folder work on, and the limit they are compared with.

#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/copy_bytes.hpp"
#include "regtorch/models/resnet.hpp"

namespace regtorch::bench {

/// ResNet-18's parameters (11.2 million, 62 tensors), with gradients.
inline std::vector<torch::Tensor> parameters() {
  torch::manual_seed(0);
  auto all = resnet18()->parameters();
  for (auto& parameter : all) {
    parameter.mutable_grad() = torch::randn_like(parameter.detach()) * 0.01;
  }
  return all;
}

/// Moves `bytes_each` bytes a parameter, half of them read and half of them written.
inline void copy(benchmark::State& state, std::int64_t bytes_each) {
  std::int64_t count = 0;
  for (const auto& parameter : resnet18()->parameters()) {
    count += parameter.numel();
  }
  const std::int64_t bytes = count * bytes_each / 2;
  const auto from = torch::ones({bytes}, torch::kByte);
  auto to = torch::ones({bytes}, torch::kByte);
  for (auto _ : state) {
    copy_bytes(from.const_data_ptr(), to.mutable_data_ptr(), bytes, 1 << 18);
    benchmark::ClobberMemory();
  }
}

}  // namespace regtorch::bench
