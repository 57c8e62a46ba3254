#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/copy_bytes.hpp"
#include "../core/scoped_memory_cache.hpp"

namespace regtorch::bench {

/// 256 images of 64 channels, as in SpeedNet's first group.
inline torch::Tensor layer_images(std::int64_t side, torch::ScalarType type) {
  torch::manual_seed(0);
  return torch::randn({256, 64, side, side}, type).contiguous(torch::MemoryFormat::ChannelsLast);
}

/// Forward and backward, with the memory cache on for all, so that no page fault is measured.
template <class Layer>
void layer_pass(benchmark::State& state, const torch::Tensor& images, Layer layer) {
  const ScopedMemoryCache cache;
  const auto x = images.detach().requires_grad_();
  const auto dy = torch::randn_like(layer(x));
  for (auto _ : state) {
    x.mutable_grad().reset();
    layer(x).backward(dy);
  }
  state.SetItemsProcessed(state.iterations() * x.numel());
}

/// What is to be moved, read once and written once.
inline void layer_copy(benchmark::State& state, std::int64_t bytes) {
  const auto from = torch::zeros(bytes, torch::kByte);
  const auto to = torch::zeros(bytes, torch::kByte);
  for (auto _ : state) {
    copy_bytes(from.const_data_ptr(), to.mutable_data_ptr(), bytes, 1 << 18);
    benchmark::ClobberMemory();
  }
}

/// Registers `layer`/variant/shape/dtype, in float32 and bfloat16, for functions (state, dtype).
inline int register_layer(
    const std::string& layer, std::int64_t side,
    std::initializer_list<std::pair<const char*, void (*)(benchmark::State&, torch::ScalarType)>>
        variants) {
  for (const auto type : {torch::kFloat, torch::kBFloat16}) {
    for (const auto& [variant, function] : variants) {
      const std::string name = c10::str(layer, "/", variant, "/256x64x", side, "x", side, "/",
                                        type == torch::kFloat ? "float32" : "bfloat16");
      benchmark::RegisterBenchmark(name.c_str(), function, type)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return 0;
}

}  // namespace regtorch::bench
