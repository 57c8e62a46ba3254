#include "regtorch/models/cnn.hpp"

#include <cmath>

#include "catch.hpp"
#include "one_by_one.hpp"
#include "regtorch/models/alexnet.hpp"

namespace cnn_test {

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

std::int64_t conv(std::int64_t in, std::int64_t out, std::int64_t size, bool bias) {
  return in * out * size * size + (bias ? out : 0);
}
std::int64_t linear(std::int64_t in, std::int64_t out) { return in * out + out; }

using Parameters = torch::OrderedDict<std::string, torch::Tensor>;

torch::Tensor layer(const torch::Tensor& x, const Parameters& p, const std::string& name) {
  return torch::linear(x, p[name + ".weight"], p[name + ".bias"]);
}

}  // namespace

TEST_CASE("CNN: computes the study text's layers", "[models]") {
  torch::manual_seed(0);
  for (const bool batch_norm : {true, false}) {
    for (const std::int64_t size : {16, 17, 32, 45}) {
      rt::CNN model(rt::CNNOptions(7).batch_norm(batch_norm).image_size(size));
      model->eval();
      model->to(torch::kDouble);
      const auto p = model->named_parameters();
      const auto b = model->named_buffers();
      const auto x = torch::randn({3, 3, size, size}, torch::kDouble);
      const auto block = [&](const torch::Tensor& in, const std::string& at,
                             const std::string& norm) {
        const auto bias = batch_norm ? torch::Tensor() : p["features." + at + ".bias"];
        auto y = torch::conv2d(in, p["features." + at + ".weight"], bias);
        if (batch_norm) {
          const auto n = "features." + norm;
          y = torch::batch_norm(y, p[n + ".weight"], p[n + ".bias"], b[n + ".running_mean"],
                                b[n + ".running_var"], false, 0.1, 1e-5, false);
        }
        return torch::max_pool2d(y.relu(), 2);
      };
      auto y = block(block(x, "0", "1"), batch_norm ? "4" : "3", "5").flatten(1);
      y = layer(y, p, "classifier.0").relu();
      y = layer(layer(y, p, "classifier.3").relu(), p, "classifier.5");
      CHECK(model->forward(x).sizes() == c10::IntArrayRef({3, 7}));
      CHECK(torch::allclose(model->forward(x), y, 1e-10, 1e-12));
    }
  }
}

TEST_CASE("CNN, AlexNet: on channels_last images their layers one by one", "[models]") {
  torch::manual_seed(1);
  const auto images = torch::randn({16, 3, 32, 32}).contiguous(regtorch::testing::kChannelsLast);
  for (const bool batch_norm : {true, false}) {
    INFO(batch_norm);
    regtorch::testing::check_one_by_one(rt::CNN(rt::CNNOptions().dropout(0).batch_norm(batch_norm)),
                                        images, batch_norm ? 2 : 0);
    regtorch::testing::check_one_by_one(
        rt::AlexNet(rt::AlexNetOptions().dropout(0).batch_norm(batch_norm)), images,
        batch_norm ? 5 : 0);
  }
}

TEST_CASE("CNN: as many parameters as its layers say", "[models]") {
  const auto head = linear(400, 120) + linear(120, 64) + linear(64, 10);
  const auto with = conv(3, 6, 5, false) + 12 + conv(6, 16, 5, false) + 32 + head;
  CHECK(with == 59'408);
  CHECK(count_parameters(*rt::CNN()) == with);
  CHECK(count_parameters(*rt::CNN(rt::CNNOptions().batch_norm(false))) ==
        conv(3, 6, 5, true) + conv(6, 16, 5, true) + head);
  CHECK(rt::CNN(rt::CNNOptions().batch_norm(false))->buffers().empty());
}

TEST_CASE("CNN: dropout leaves out its share of the 120 units in training alone", "[models]") {
  torch::manual_seed(3);
  const auto images = torch::randn({256, 3, 32, 32});
  for (const double rate : {0.0, 0.3, 0.5}) {
    rt::CNN model(rt::CNNOptions().dropout(rate));
    auto dropout = model->classifier->at<torch::nn::DropoutImpl>(2);
    const auto ones = torch::ones({1000, 120});
    const double kept = (dropout.forward(ones) != 0).to(torch::kDouble).mean().item<double>();
    // 120,000 units: five standard deviations are at most 0.0073.
    CHECK(kept == Approx(1 - rate).margin(0.0073));
    // Batch statistics are the same for both passes: what differs is the dropout.
    CHECK(model->forward(images).equal(model->forward(images)) == (rate == 0));
    model->eval();
    CHECK(model->forward(images).equal(model->forward(images)));
  }
}

TEST_CASE("CNN: clones, and refuses what does not fit", "[models]") {
  torch::manual_seed(4);
  rt::CNN model(rt::CNNOptions(5).dropout(0.25));
  const auto copy = std::dynamic_pointer_cast<rt::CNNImpl>(model->clone());
  CHECK(copy->options().dropout() == 0.25);
  model->eval();
  copy->eval();
  const auto x = torch::randn({2, 3, 32, 32});
  CHECK(copy->forward(x).equal(model->forward(x)));
  CHECK(contains(error_of([&] {
                   model->forward(torch::zeros({2, 3, 28, 28}));
                 }),
                 "wanted images of shape [N, 3, 32, 32], got Float [2, 3, 28, 28]"));
  CHECK(contains(error_of([&] { model->forward(torch::zeros({3, 32, 32})); }), "got Float"));
  CHECK(contains(error_of([] { rt::CNN(rt::CNNOptions(0)); }), "at least 1 class, got 0"));
  CHECK(contains(error_of([] { rt::CNN(rt::CNNOptions().dropout(1)); }), "got 1"));
  CHECK(contains(error_of([] { rt::CNN(rt::CNNOptions().image_size(15)); }), "got size 15"));
}

TEST_CASE("AlexNet: computes its layers", "[models]") {
  torch::manual_seed(0);
  rt::AlexNet model(rt::AlexNetOptions(7));
  model->eval();
  model->to(torch::kDouble);
  const auto p = model->named_parameters();
  const auto conv3 = [&](const torch::Tensor& in, const std::string& at, std::int64_t stride) {
    const auto name = "features." + at;
    return torch::conv2d(in, p[name + ".weight"], p[name + ".bias"], stride, 1).relu();
  };
  const auto x = torch::randn({2, 3, 32, 32}, torch::kDouble);
  auto y = torch::max_pool2d(conv3(x, "0", 2), 2);
  y = torch::max_pool2d(conv3(y, "3", 1), 2);
  y = conv3(conv3(conv3(y, "6", 1), "8", 1), "10", 1);
  y = torch::max_pool2d(y, 2).flatten(1);
  CHECK(y.size(1) == 1024);
  y = layer(layer(y, p, "classifier.1").relu(), p, "classifier.4").relu();
  CHECK(torch::allclose(model->forward(x), layer(y, p, "classifier.6"), 1e-10, 1e-12));
}

TEST_CASE("AlexNet: parameters, batch normalization, dropout, errors", "[models]") {
  const auto head = 2 * linear(1024, 1024) + linear(1024, 10);
  const auto features = [](bool bias) {
    return conv(3, 64, 3, bias) + conv(64, 192, 3, bias) + conv(192, 384, 3, bias) +
           conv(384, 256, 3, bias) + conv(256, 256, 3, bias);
  };
  CHECK(features(true) + head == 4'361'034);
  CHECK(count_parameters(*rt::AlexNet()) == features(true) + head);
  rt::AlexNet normalized(rt::AlexNetOptions().batch_norm(true));
  CHECK(count_parameters(*normalized) == features(false) + 2 * (64 + 192 + 384 + 256 + 256) + head);
  CHECK(normalized->forward(torch::randn({4, 3, 32, 32})).sizes() == c10::IntArrayRef({4, 10}));
  const auto x = torch::randn({64, 3, 32, 32});
  rt::AlexNet model;
  CHECK_FALSE(model->forward(x).equal(model->forward(x)));
  rt::AlexNet plain(rt::AlexNetOptions().dropout(0));
  CHECK(plain->forward(x).equal(plain->forward(x)));
  CHECK(contains(error_of([&] {
                   model->forward(torch::zeros({2, 3, 64, 64}));
                 }),
                 "AlexNet: wanted images of shape [N, 3, 32, 32]"));
  CHECK(contains(error_of([] { rt::AlexNet(rt::AlexNetOptions().dropout(-0.1)); }), "got -0.1"));
}

}  // namespace cnn_test
