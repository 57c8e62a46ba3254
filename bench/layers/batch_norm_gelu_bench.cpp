// batch_norm_gelu: forward and backward of BatchNormGELU in training, on channels_last images of
// SpeedNet's first group. `aten` is torch::nn::BatchNorm2d and torch::nn::GELU.
//
// Limit: 12 bytes an element forward and 20 backward in float32 (see kernels/batch_norm_gelu.hpp).
// copy moves those 32.

#include "regtorch/layers/batch_norm_gelu.hpp"

#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/copy_bytes.hpp"
#include "../core/scoped_memory_cache.hpp"

namespace {

namespace rt = regtorch;

constexpr std::int64_t kSizes[] = {256, 64, 15, 15};

torch::nn::BatchNormOptions options() { return torch::nn::BatchNormOptions(kSizes[1]); }

torch::Tensor images(torch::ScalarType type) {
  torch::manual_seed(0);
  return torch::randn(kSizes, type).contiguous(torch::MemoryFormat::ChannelsLast);
}

/// With the memory cache on for all, so that no page fault is measured.
template <class Layer>
void pass(benchmark::State& state, torch::ScalarType type, Layer layer) {
  const rt::bench::ScopedMemoryCache cache;
  const auto x = images(type).requires_grad_();
  const auto dy = images(type);
  for (auto _ : state) {
    x.mutable_grad().reset();
    layer(x).backward(dy);
  }
  state.SetItemsProcessed(state.iterations() * x.numel());
}

void pass_regtorch(benchmark::State& state, torch::ScalarType type) {
  pass(state, type, rt::BatchNormGELU(options()));
}

void pass_aten(benchmark::State& state, torch::ScalarType type) {
  torch::nn::BatchNorm2d norm(options());
  pass(state, type, [&](const torch::Tensor& x) { return torch::gelu(norm(x)); });
}

void copy(benchmark::State& state, torch::ScalarType type) {
  const auto x = images(type);
  const std::int64_t bytes = x.numel() * 4 * x.element_size();  // each read and written
  const auto from = torch::zeros(bytes, torch::kByte);
  const auto to = torch::zeros(bytes, torch::kByte);
  for (auto _ : state) {
    rt::bench::copy_bytes(from.const_data_ptr(), to.mutable_data_ptr(), bytes, 1 << 18);
    benchmark::ClobberMemory();
  }
}

const int registered = [] {
  for (const auto type : {torch::kFloat, torch::kBFloat16}) {
    const std::string shape =
        std::string("/256x64x15x15/") + (type == torch::kFloat ? "float32" : "bfloat16");
    for (const auto& [name, function] : {std::pair{"regtorch", &pass_regtorch},
                                         std::pair{"aten", &pass_aten}, std::pair{"copy", &copy}}) {
      benchmark::RegisterBenchmark(("batch_norm_gelu/" + std::string(name) + shape).c_str(),
                                   function, type)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return 0;
}();

}  // namespace
