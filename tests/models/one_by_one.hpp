#pragma once

// The models' layers as LibTorch runs them, one after the other, to compare what the models do
// with.

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "../layers/batch_norm.hpp"
#include "catch.hpp"
#include "regtorch/models/resnet.hpp"

namespace regtorch::testing {

inline torch::Tensor one_by_one(ResidualBlock block, const torch::Tensor& x) {
  const auto shortcut = block->downsample.is_empty() ? x : block->downsample->forward(x);
  return torch::relu(block->conv_block->forward(x) + shortcut);
}

inline torch::Tensor one_by_one(ResNet model, const torch::Tensor& images) {
  auto x = model->base->forward(images);
  for (auto& layer : model->layers) {
    for (auto& block : *layer) {
      x = one_by_one(ResidualBlock(block.ptr<ResidualBlockImpl>()), x);
    }
  }
  return model->fc(torch::avg_pool2d(x, 4).flatten(1));
}

/// For CNN and AlexNet.
template <class Model>
torch::Tensor one_by_one(Model model, const torch::Tensor& images) {
  return model->classifier->forward(model->features->forward(images).flatten(1));
}

/// That the model gives what its layers give one by one, in training, with all gradients and
/// running statistics, and in evaluation, with `fused` batch normalizations in one with the ReLU
/// behind them.
template <class Model>
void check_one_by_one(Model model, const torch::Tensor& images, int fused) {
  for (const bool training : {true, false}) {
    INFO("training " << training);
    model->train(training);
    Model reference(std::dynamic_pointer_cast<typename Model::ContainedType>(model->clone()));
    const auto near = [](const torch::Tensor& got, const torch::Tensor& wanted) {
      const double scale = wanted.abs().max().template item<double>();
      return regtorch::testing::near(got, wanted, 1e-3, 1e-3 * scale);
    };
    const torch::AutoGradMode grad_mode(training);
    const auto x = images.clone().requires_grad_(training);
    const auto x_reference = images.clone().requires_grad_(training);
    const auto y = model->forward(x);
    const auto wanted = one_by_one(reference, x_reference);
    CHECK(near(y, wanted));
    CHECK(wanted.abs().max().template item<double>() > 0);
    if (!training) {
      continue;
    }
    CHECK(count_nodes(y, "BatchNormFunction") == fused);
    CHECK(count_nodes(wanted, "BatchNormFunction") == 0);
    y.square().sum().backward();
    wanted.square().sum().backward();
    CHECK(near(x.grad(), x_reference.grad()));
    const auto parameters = reference->named_parameters();
    for (const auto& parameter : model->named_parameters()) {
      INFO(parameter.key());
      CHECK(near(parameter.value().grad(), parameters[parameter.key()].grad()));
    }
    const auto buffers = reference->named_buffers();
    for (const auto& buffer : model->named_buffers()) {
      INFO(buffer.key());
      CHECK(near(buffer.value().to(torch::kDouble), buffers[buffer.key()].to(torch::kDouble)));
    }
  }
}

}  // namespace regtorch::testing
