// train_step: forward, loss, backward and optimizer step of ResNet-18 with smoothed labels, on a
// batch that is ready, channels_last. `regtorch` has everything of regtorch's on; `aten` is what a
// user of LibTorch alone would write, so that the model's layers run one by one. A batch of 512
// only where the CPU computes in bfloat16.

#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/scoped_memory_cache.hpp"
#include "../core/training_dtype.hpp"
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

  static torch::Tensor forward(rt::ResNet& model, const torch::Tensor& images) {
    return model->forward(images);
  }
};

struct Aten {
  using Optimizer = torch::optim::Adam;
  torch::nn::CrossEntropyLoss criterion{torch::nn::CrossEntropyLossOptions().label_smoothing(0.1)};

  static torch::Tensor forward(rt::ResNet& model, const torch::Tensor& images) {
    torch::Tensor x = model->base->forward(images);
    for (auto& layer : model->layers) {
      for (auto& any : *layer) {
        auto block = any.ptr<rt::ResidualBlockImpl>();
        const auto shortcut = block->downsample.is_empty() ? x : block->downsample->forward(x);
        x = block->conv_block->forward(x).add_(shortcut).relu_();
      }
    }
    return model->fc(torch::avg_pool2d(x, 4).flatten(1));
  }
};

template <class Variant>
void train_step(benchmark::State& state, std::int64_t batch) {
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
      const rt::Autocast region(torch::kCPU, rt::bench::training_dtype());
      loss = variant.criterion(Variant::forward(model, images), labels);
    }
    loss.backward();
    optimizer.step();
    benchmark::DoNotOptimize(loss.item<double>());
  };
  for (int warm_up = 0; warm_up < 3; ++warm_up) {
    step();  // makes the optimizer's state, and then fills the cache
  }
  for (auto _ : state) {
    step();
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

template <class Variant>
void add(const std::string& variant, std::int64_t batch) {
  const std::string name = c10::str("train_step/", variant, "/resnet18_", batch, "x3x32x32/",
                                    rt::bench::training_dtype_name());
  benchmark::RegisterBenchmark(name.c_str(), train_step<Variant>, batch)
      ->UseRealTime()
      ->MinTime(0.5)
      ->Unit(benchmark::kMillisecond);
}

const int registered = [] {
  for (const std::int64_t batch : {32, 512}) {
    if (batch == 32 || rt::bench::training_dtype().has_value()) {
      add<Aten>("aten", batch);
      add<Regtorch>("regtorch", batch);
    }
  }
  return 0;
}();

}  // namespace
