// The models without batch normalization: that nothing of it is left, and that they train.

#include <cmath>
#include <string>

#include "catch.hpp"
#include "regtorch/data/batches.hpp"
#include "regtorch/data/synthetic_images.hpp"
#include "regtorch/models/make_model.hpp"
#include "regtorch/models/resnet.hpp"
#include "regtorch/transforms/normalize.hpp"

namespace without_batch_norm_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

TEST_CASE("ResidualBlock without batch norm: its formula, and its start", "[models]") {
  torch::manual_seed(0);
  for (const auto& [in, out, stride] : {std::tuple{4, 4, 1}, {4, 6, 1}, {4, 8, 2}}) {
    rt::ResidualBlock block(rt::ResidualBlockOptions(in, out).stride(stride).batch_norm(false));
    const auto x = torch::randn({3, in, 9, 9});
    CHECK(block->buffers().empty());
    const auto p = block->named_parameters();
    const bool identity = stride == 1 && in == out;
    const auto shortcut = [&] {
      return identity ? x
                      : torch::conv2d(x, p["downsample.0.weight"], p["downsample.0.bias"], stride);
    };
    CHECK(torch::allclose(block->forward(x), shortcut().relu(), 1e-5, 1e-6));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : block->parameters()) {
      parameter.normal_();
    }
    auto y = torch::conv2d(x, p["conv_block.0.weight"], p["conv_block.0.bias"], stride, 1).relu();
    y = torch::conv2d(y, p["conv_block.2.weight"], p["conv_block.2.bias"], 1, 1) + shortcut();
    CHECK(torch::allclose(block->forward(x), y.relu(), 1e-4, 1e-4));
  }
}

TEST_CASE("ResNet without batch norm: passes on what comes in at its size", "[models]") {
  torch::manual_seed(1);
  for (const std::int64_t depth : {2, 8}) {
    rt::ResNet model(rt::ResNetOptions({depth, depth, depth, depth}).batch_norm(false));
    CHECK(model->buffers().empty());
    CHECK(model->forward(torch::randn({2, 3, 32, 32})).abs().max().item<double>() == 0);
    auto x = model->base->forward(torch::randn({8, 3, 32, 32}));
    const double before = x.pow(2).mean().item<double>();
    for (auto& layer : model->layers) {
      x = layer->forward(x);
    }
    const double after = x.pow(2).mean().item<double>();
    // Three shortcuts change the shape, each followed by a ReLU that takes half: 1/8, within 2x.
    CHECK(after / before > 1.0 / 16);
    CHECK(after / before < 1.0 / 4);
    const double first = model->layers[0]
                             ->at<rt::ResidualBlockImpl>(0)
                             .conv_block->at<torch::nn::Conv2dImpl>(0)
                             .weight.std()
                             .item<double>();
    const double he = std::sqrt(2.0 / (64 * 9));
    CHECK(first == Approx(he / std::sqrt(4.0 * static_cast<double>(depth))).epsilon(0.03));
  }
}

TEST_CASE("make_model: without batch norm every model trains steadily", "[models]") {
  const rt::data::SyntheticImages images(rt::data::SyntheticImagesOptions(128).seed(1));
  rt::data::Batches batches(
      images, rt::transforms::Pipeline{rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})},
      rt::data::BatchesOptions(32).seed(1));
  for (const std::string name : {"cnn", "alexnet", "resnet18"}) {
    torch::manual_seed(2);
    auto model = rt::make_model(name, rt::ModelOptions().batch_norm(false).dropout(0));
    for (const auto& entry : model.ptr()->named_buffers()) {
      FAIL_CHECK(name << " has " << entry.key());
    }
    torch::optim::Adam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    double largest = 0;
    double last = 0;
    for (int pass = 0; pass < 6; ++pass) {
      last = 0;
      for (auto& batch : batches) {
        const auto loss =
            torch::nn::functional::cross_entropy(model.forward(batch.images), batch.labels);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        largest = std::max(largest, loss.item<double>());
        last += loss.item<double>() / 4;
      }
    }
    INFO(name << ": largest loss " << largest << ", mean of the last pass " << last);
    // A guess has log 10; Adam's first steps double that. With He's weights alone one of
    // 129 was seen.
    CHECK(largest < 3 * std::log(10.0));
    CHECK(last < std::log(10.0) - 0.1);
  }
}

TEST_CASE("make_model: options reach the model, the model's own stay otherwise", "[models]") {
  const auto has = [](const torch::nn::AnyModule& model, const std::string& kind) {
    for (const auto& module : model.ptr()->modules()) {
      if (contains(module->name(), kind)) {
        return true;
      }
    }
    return false;
  };
  CHECK(has(rt::make_model("cnn"), "BatchNorm"));
  CHECK(has(rt::make_model("resnet18"), "BatchNorm"));
  CHECK_FALSE(has(rt::make_model("alexnet"), "BatchNorm"));
  CHECK(has(rt::make_model("alexnet", rt::ModelOptions().batch_norm(true)), "BatchNorm"));
  CHECK_FALSE(has(rt::make_model("cnn", rt::ModelOptions().batch_norm(false)), "BatchNorm"));
  auto model = rt::make_model("resnet18", rt::ModelOptions(3).dropout(0.5));
  const auto images = torch::randn({4, 3, 32, 32});
  CHECK(model.forward(images).size(1) == 3);
  CHECK_FALSE(model.forward(images).equal(model.forward(images)));
  model.ptr()->eval();
  CHECK(model.forward(images).equal(model.forward(images)));
  for (const std::string name : {"cnn", "alexnet", "resnet18", "resnet34"}) {
    CHECK(contains(error_of([&] { rt::make_model(name, rt::ModelOptions().dropout(1.5)); }),
                   "wanted a dropout rate in [0, 1), got 1.5"));
    CHECK(contains(error_of([&] { rt::make_model(name, 0); }), "at least 1 class, got 0"));
  }
}

}  // namespace without_batch_norm_test
