// speed_net_step: a training step of SpeedNet on a batch that is ready, channels_last: forward,
// loss with smoothed labels, backward and SGD. `aten` is what a user of LibTorch alone would write;
// each variant after it has one more thing of regtorch's, and `regtorch` has all. In bfloat16 where
// the CPU has AMX: without it float32 is the faster type.
//
// Limit: 707 million multiplications and additions an image (236 forward, and twice that backward)
// at the speed of the convolutions.

#include "regtorch/models/speed_net.hpp"

#include <memory>
#include <optional>
#include <string>

#include <ATen/cpu/Utils.h>
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/scoped_memory_cache.hpp"
#include "regtorch/core/autocast.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"
#include "regtorch/models/channels_last.hpp"
#include "regtorch/weights/fused_sgd.hpp"

namespace {

namespace rt = regtorch;

constexpr std::int64_t kBatch = 1024;

/// What of regtorch's is on, each including those before it.
enum class Pieces { kNone, kMemoryCache, kMaxPool, kBatchNormGelu, kLossAndOptimizer };

std::optional<torch::ScalarType> dtype() {
  return at::cpu::init_amx() ? std::make_optional(torch::kBFloat16) : std::nullopt;
}

/// SpeedNet's layers, or LibTorch's in their place.
torch::nn::Sequential layers(const rt::SpeedNet& net, Pieces pieces) {
  namespace nn = torch::nn;
  nn::Sequential made(net->whiten, nn::GELU());
  for (const auto& layer : net->layers->children()) {
    if (const auto* norm = layer->as<rt::BatchNormGELUImpl>()) {
      if (pieces < Pieces::kBatchNormGelu) {
        nn::BatchNorm2d plain(norm->options);
        plain->weight.set_requires_grad(false);
        made->push_back(plain);
        made->push_back(nn::GELU());
      } else {
        made->push_back(std::dynamic_pointer_cast<rt::BatchNormGELUImpl>(layer));
      }
    } else if (layer->as<rt::MaxPool2x2Impl>() != nullptr) {
      if (pieces < Pieces::kMaxPool) {
        made->push_back(nn::MaxPool2d(2));
      } else {
        made->push_back(std::dynamic_pointer_cast<rt::MaxPool2x2Impl>(layer));
      }
    } else {
      made->push_back(std::dynamic_pointer_cast<nn::Conv2dImpl>(layer));
    }
  }
  made->push_back(nn::MaxPool2d(3));
  made->push_back(nn::Flatten());
  made->push_back(net->head);
  return made;
}

void step(benchmark::State& state, Pieces pieces) {
  std::optional<rt::bench::ScopedMemoryCache> cache;
  if (pieces >= Pieces::kMemoryCache) {
    cache.emplace();
  }
  torch::manual_seed(0);
  rt::SpeedNet net;
  const auto images =
      torch::randn({kBatch, 3, 32, 32}).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto labels = torch::randint(10, {kBatch});
  net->whiten_by(images);
  auto model = layers(net, pieces);
  rt::to_channels_last(*model);
  const bool ours = pieces >= Pieces::kLossAndOptimizer;
  torch::nn::CrossEntropyLoss loss_of_libtorch(
      torch::nn::CrossEntropyLossOptions().label_smoothing(0.2));
  rt::LabelSmoothingLoss loss_of_regtorch(
      rt::LabelSmoothingLossOptions(10).smoothing(0.2).spread(rt::Spread::kAllClasses));
  const auto options = torch::optim::SGDOptions(0.01).momentum(0.85).nesterov(true);
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  if (ours) {
    optimizer = std::make_unique<rt::FusedSGD>(model->parameters(), options);
  } else {
    optimizer = std::make_unique<torch::optim::SGD>(model->parameters(), options);
  }
  const auto one = [&] {
    optimizer->zero_grad();
    torch::Tensor loss;
    {
      const rt::Autocast region(torch::kCPU, dtype());
      const auto logits = model->forward(images);
      loss = ours ? loss_of_regtorch(logits, labels) : loss_of_libtorch(logits, labels);
    }
    loss.backward();
    optimizer->step();
    benchmark::DoNotOptimize(loss.item<double>());
  };
  for (int warm_up = 0; warm_up < 2; ++warm_up) {
    one();  // makes the optimizer's state, and then fills the cache
  }
  for (auto _ : state) {
    one();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

const int registered = [] {
  for (const auto& [variant, pieces] :
       {std::pair{"aten", Pieces::kNone}, std::pair{"memory_cache", Pieces::kMemoryCache},
        std::pair{"and_max_pool", Pieces::kMaxPool},
        std::pair{"and_batch_norm_gelu", Pieces::kBatchNormGelu},
        std::pair{"regtorch", Pieces::kLossAndOptimizer}}) {
    const std::string name = c10::str("speed_net_step/", variant, "/", kBatch, "x3x32x32/",
                                      dtype().has_value() ? "bfloat16" : "float32");
    benchmark::RegisterBenchmark(name.c_str(), step, pieces)
        ->UseRealTime()
        ->Iterations(2)
        ->Unit(benchmark::kMillisecond);
  }
  return 0;
}();

}  // namespace
