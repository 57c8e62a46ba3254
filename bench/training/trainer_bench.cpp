// trainer_epoch: an epoch of ResNet-18 in batches of 32, by Trainer on Batches against a bare loop
// on tensors that are ready. The difference is what regtorch's loop and pipeline cost.

#include "regtorch/training/trainer.hpp"

#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/training_dtype.hpp"
#include "regtorch/data/batches.hpp"
#include "regtorch/data/synthetic_images.hpp"
#include "regtorch/models/channels_last.hpp"
#include "regtorch/models/resnet.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace {

namespace rt = regtorch;

struct Setup {
  rt::ResNet model = rt::resnet18();
  torch::optim::Adam optimizer{model->parameters(), torch::optim::AdamOptions(1e-3)};
  torch::nn::CrossEntropyLoss criterion;
  rt::data::Batches batches{
      rt::data::SyntheticImages(256),
      rt::transforms::Pipeline{rt::transforms::RandomCrop(32, 4),
                               rt::transforms::RandomHorizontalFlip(),
                               rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})},
      rt::data::BatchesOptions(32).shuffle(true).seed(0).memory_format(
          torch::MemoryFormat::ChannelsLast)};
  Setup() { rt::to_channels_last(*model); }
};

void regtorch_variant(benchmark::State& state) {
  Setup setup;
  rt::Trainer trainer(setup.model, setup.optimizer, setup.criterion,
                      rt::TrainerOptions().epochs(1).autocast(rt::bench::training_dtype()));
  for (auto _ : state) {
    trainer.fit(setup.batches);
  }
}

void bare_variant(benchmark::State& state) {
  Setup setup;
  std::vector<rt::data::Batch> ready;
  for (auto& batch : setup.batches) {
    ready.push_back(batch);
  }
  setup.model->train();
  for (auto _ : state) {
    for (const auto& batch : ready) {
      setup.optimizer.zero_grad();
      torch::Tensor loss;
      {
        const rt::Autocast region(torch::kCPU, rt::bench::training_dtype());
        loss = setup.criterion(setup.model->forward(batch.images), batch.labels);
      }
      loss.backward();
      setup.optimizer.step();
      benchmark::DoNotOptimize(loss.item<double>());
    }
  }
}

const int registered = [] {
  const auto add = [](const char* variant, auto body) {
    const std::string name = c10::str("trainer_epoch/", variant, "/resnet18_256x3x32x32/",
                                      rt::bench::training_dtype_name());
    benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  add("regtorch", regtorch_variant);
  add("bare", bare_variant);
  return 0;
}();

}  // namespace
