// train_step: forward, loss, backward and optimizer step of ResNet-18 with smoothed labels, on a
// batch that is ready, channels_last. `regtorch` has everything of regtorch's on; `aten` is what a
// user of LibTorch alone would write. bfloat16 only where the CPU computes in it.

#include <cstdint>
#include <optional>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/scoped_memory_cache.hpp"
#include "regtorch/core/autocast.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"
#include "regtorch/models/channels_last.hpp"
#include "regtorch/models/resnet.hpp"
#include "regtorch/weights/fused_adam.hpp"

namespace {

namespace rt = regtorch;

struct Regtorch {
  rt::bench::ScopedMemoryCache cache;
  using Optimizer = rt::FusedAdam;
  rt::LabelSmoothingLoss criterion{
      rt::LabelSmoothingLossOptions(10).smoothing(0.1).spread(rt::Spread::kAllClasses)};
};

struct Aten {
  using Optimizer = torch::optim::Adam;
  torch::nn::CrossEntropyLoss criterion{torch::nn::CrossEntropyLossOptions().label_smoothing(0.1)};
};

template <class Variant>
void train_step(benchmark::State& state, std::int64_t batch,
                std::optional<c10::ScalarType> autocast) {
  Variant variant;
  torch::manual_seed(0);
  rt::ResNet model = rt::resnet18();
  rt::to_channels_last(*model);
  typename Variant::Optimizer optimizer(model->parameters(), torch::optim::AdamOptions(1e-3));
  const auto images =
      torch::randn({batch, 3, 32, 32}).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto labels = torch::randint(10, {batch});
  const auto step = [&] {
    optimizer.zero_grad();
    torch::Tensor loss;
    {
      const rt::Autocast region(torch::kCPU, autocast);
      loss = variant.criterion(model->forward(images), labels);
    }
    loss.backward();
    optimizer.step();
    benchmark::DoNotOptimize(loss.item<double>());
  };
  step();  // which makes the optimizer's state, and fills the cache
  for (auto _ : state) {
    step();
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

template <class Variant>
void add(const std::string& variant, std::int64_t batch, std::optional<c10::ScalarType> autocast) {
  const std::string name = "train_step/" + variant + "/resnet18_" + std::to_string(batch) +
                           "x3x32x32/" + (autocast.has_value() ? "bfloat16" : "float32");
  benchmark::RegisterBenchmark(name.c_str(), train_step<Variant>, batch, autocast)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

/// Without these instructions LibTorch computes bfloat16 in software, for minutes a step.
bool has_bfloat16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;  // which all with AMX have too
#else
  return false;
#endif
}

const bool kAdded = [] {
  for (const std::int64_t batch : {32, 512}) {
    add<Aten>("aten", batch, std::nullopt);
    add<Regtorch>("regtorch", batch, std::nullopt);
    if (has_bfloat16()) {
      add<Aten>("aten", batch, torch::kBFloat16);
      add<Regtorch>("regtorch", batch, torch::kBFloat16);
    }
  }
  return true;
}();

}  // namespace
