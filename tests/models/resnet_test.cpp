#include "regtorch/models/resnet.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "one_by_one.hpp"
#include "regtorch/core/autocast.hpp"
#include "regtorch/models/channels_last.hpp"

namespace resnet_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

std::int64_t count_parameters(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters()) {
    count += parameter.numel();
  }
  return count;
}

/// The names Python gives a ResNet of the study text, in state_dict order, from its structure.
std::vector<std::string> python_names(const std::vector<int>& blocks, bool buffers) {
  std::vector<std::string> names;
  const auto norm = [&](const std::string& name) {
    for (const char* part : {".weight", ".bias"}) {
      if (!buffers) {
        names.push_back(name + part);
      }
    }
    for (const char* part : {".running_mean", ".running_var", ".num_batches_tracked"}) {
      if (buffers) {
        names.push_back(name + part);
      }
    }
  };
  const auto conv = [&](const std::string& name) {
    if (!buffers) {
      names.push_back(name + ".weight");
    }
  };
  conv("base.0");
  norm("base.1");
  for (std::size_t l = 0; l < blocks.size(); ++l) {
    for (int b = 0; b < blocks[l]; ++b) {
      const std::string block = "layer" + std::to_string(l + 1) + "." + std::to_string(b);
      conv(block + ".conv_block.0");
      norm(block + ".conv_block.1");
      conv(block + ".conv_block.3");
      norm(block + ".conv_block.4");
      if (l > 0 && b == 0) {
        conv(block + ".downsample.0");
        norm(block + ".downsample.1");
      }
    }
  }
  if (!buffers) {
    names.insert(names.end(), {"fc.weight", "fc.bias"});
  }
  return names;
}

}  // namespace

TEST_CASE("ResNets have the study text's size, names and order", "[models]") {
  auto resnet18 = rt::resnet18();
  CHECK(count_parameters(*resnet18) == 11173962);
  CHECK(resnet18->named_parameters().keys() == python_names({2, 2, 2, 2}, false));
  CHECK(resnet18->named_buffers().keys() == python_names({2, 2, 2, 2}, true));
  auto resnet34 = rt::resnet34();
  CHECK(count_parameters(*resnet34) == 21282122);
  CHECK(resnet34->named_parameters().keys() == python_names({3, 4, 6, 3}, false));
  CHECK(rt::resnet18(100)->fc->options.out_features() == 100);
}

TEST_CASE("a ResNet turns images into logits and its gradients reach every weight", "[models]") {
  torch::manual_seed(0);
  rt::ResNet model(rt::ResNetOptions({1, 1, 1, 1}).num_classes(7));
  const auto logits = model->forward(torch::randn({2, 3, 32, 32}));
  CHECK(logits.sizes() == torch::IntArrayRef({2, 7}));
  logits.square().sum().backward();
  for (const auto& parameter : model->named_parameters()) {
    INFO(parameter.key());
    REQUIRE(parameter.value().grad().defined());
    CHECK(parameter.value().grad().abs().sum().item<double>() > 0);
  }
}

TEST_CASE("a ResNet on channels_last images is its layers one by one", "[models]") {
  torch::manual_seed(1);
  rt::ResNet model(rt::ResNetOptions({1, 1, 1, 1}));
  rt::to_channels_last(*model);
  const auto images = torch::randn({8, 3, 32, 32}).contiguous(regtorch::testing::kChannelsLast);
  // The first, and two a block; the three of the shortcuts have no ReLU behind them.
  regtorch::testing::check_one_by_one(model, images, 9);
  const rt::Autocast region(torch::kCPU, torch::kBFloat16);
  CHECK(regtorch::testing::count_nodes(model->forward(images), "BatchNormFunction") == 0);
  model->train();
  const auto logits = model->forward(images);
  CHECK(logits.scalar_type() == torch::kBFloat16);
  CHECK(regtorch::testing::count_nodes(logits, "BatchNormFunction") == 9);
}

TEST_CASE("a ResNet can be cloned", "[models]") {
  rt::ResNet model(rt::ResNetOptions({1, 1, 1, 1}));
  model->eval();
  const auto copy = std::dynamic_pointer_cast<rt::ResNetImpl>(model->clone());
  copy->eval();
  const auto x = torch::randn({1, 3, 32, 32});
  CHECK(copy->forward(x).equal(model->forward(x)));
  const torch::NoGradGuard no_grad;
  copy->fc->bias.add_(1);
  CHECK_FALSE(copy->forward(x).equal(model->forward(x)));
}

TEST_CASE("a ResNet names the images and options it refuses", "[models]") {
  rt::ResNet model(rt::ResNetOptions({1, 1, 1, 1}));
  const auto error = [&](torch::IntArrayRef shape) {
    return error_of([&] { model->forward(torch::zeros(shape)); });
  };
  CHECK(contains(error({2, 3, 28, 28}),
                 "ResNet: wanted images of shape [N, 3, 32, 32], got Float [2, 3, 28, 28]"));
  CHECK(contains(error({2, 1, 32, 32}), "got Float [2, 1, 32, 32]"));
  CHECK(contains(error({3, 32, 32}), "got Float [3, 32, 32]"));
  CHECK(contains(error_of([] {
                   rt::ResNet(rt::ResNetOptions({2, 2, 2}));
                 }),
                 "wanted blocks for 4 layers, got [2, 2, 2]"));
  CHECK(contains(error_of([] {
                   rt::ResNet(rt::ResNetOptions({2, 0, 2, 2}));
                 }),
                 "at least 1 block in each layer"));
  CHECK(contains(error_of([] { rt::resnet18(0); }), "at least 1 class, got 0"));
}

}  // namespace resnet_test
