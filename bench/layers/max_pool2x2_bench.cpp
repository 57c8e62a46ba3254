// max_pool2x2: forward and backward of MaxPool2x2 on channels_last images of SpeedNet's first
// group. `aten` is LibTorch's max_pool2d.
//
// Limit: 5.25 bytes an element of the input forward and backward each, in float32. copy moves those
// 10.5.

#include "regtorch/layers/max_pool2x2.hpp"

#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/copy_bytes.hpp"
#include "../core/scoped_memory_cache.hpp"

namespace {

namespace rt = regtorch;

torch::Tensor images(std::int64_t side, torch::ScalarType type) {
  torch::manual_seed(0);
  return torch::randn({256, 64, side, side}, type).contiguous(torch::MemoryFormat::ChannelsLast);
}

/// With the memory cache on for all, so that no page fault is measured.
template <class Pool>
void pass(benchmark::State& state, torch::ScalarType type, Pool pool) {
  const rt::bench::ScopedMemoryCache cache;
  const auto x = images(31, type).requires_grad_();
  const auto dy = images(15, type);
  for (auto _ : state) {
    x.mutable_grad().reset();
    pool(x).backward(dy);
  }
  state.SetItemsProcessed(state.iterations() * x.numel());
}

void pass_regtorch(benchmark::State& state, torch::ScalarType type) {
  pass(state, type, rt::MaxPool2x2());
}

void pass_aten(benchmark::State& state, torch::ScalarType type) {
  pass(state, type, torch::nn::MaxPool2d(2));
}

void copy(benchmark::State& state, torch::ScalarType type) {
  const auto x = images(31, type);
  // Of each four pixels one comes out, with a byte; then all of it the other way.
  const std::int64_t bytes = x.numel() * (5 * x.element_size() + 1) / 4;  // each read and written
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
        std::string("/256x64x31x31/") + (type == torch::kFloat ? "float32" : "bfloat16");
    for (const auto& [name, function] : {std::pair{"regtorch", &pass_regtorch},
                                         std::pair{"aten", &pass_aten}, std::pair{"copy", &copy}}) {
      benchmark::RegisterBenchmark(("max_pool2x2/" + std::string(name) + shape).c_str(), function,
                                   type)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return 0;
}();

}  // namespace
