#pragma once

// The weights that the benchmarks of this folder work on, and the limit they are compared with.

#include <cstdint>
#include <cstring>
#include <vector>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "regtorch/core/parallel_for.hpp"
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
  const auto* source = from.const_data_ptr<std::uint8_t>();
  auto* target = to.mutable_data_ptr<std::uint8_t>();
  for (auto _ : state) {
    parallel_for(bytes, 1 << 18, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
    });
    benchmark::ClobberMemory();
  }
}

}  // namespace regtorch::bench
