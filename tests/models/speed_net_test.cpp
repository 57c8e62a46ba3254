#include "regtorch/models/speed_net.hpp"

#include <cmath>
#include <string>

#include "catch.hpp"

namespace speed_net_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

TEST_CASE("SpeedNet computes its layers", "[models]") {
  torch::manual_seed(0);
  for (const bool training : {false, true}) {
    rt::SpeedNet model(rt::SpeedNetOptions(7).output_scale(0.25));
    model->to(torch::kDouble);
    model->train(training);
    const auto p = model->named_parameters();
    const auto b = model->named_buffers();
    const auto x = torch::randn({4, 3, 32, 32}, torch::kDouble);
    auto y = torch::conv2d(x, p["whiten.weight"], p["whiten.bias"]);
    // 0.5 y (1 + erf(y / sqrt 2))
    const auto gelu = [](const torch::Tensor& of) {
      return 0.5 * of * (1 + torch::erf(of / std::sqrt(2.0)));
    };
    y = gelu(y);
    for (int group = 0; group < 3; ++group) {
      const auto name = [&](int layer) { return "layers." + std::to_string(5 * group + layer); };
      const auto norm = [&](const torch::Tensor& of, int layer) {
        const auto mean = training ? of.mean({0, 2, 3}) : b[name(layer) + ".running_mean"];
        const auto variance = training ? of.var({0, 2, 3}, false) : b[name(layer) + ".running_var"];
        const auto shaped = [](const torch::Tensor& t) { return t.view({1, -1, 1, 1}); };
        return (of - shaped(mean)) / (shaped(variance) + 1e-12).sqrt() +
               shaped(p[name(layer) + ".bias"]);
      };
      y = torch::conv2d(y, p[name(0) + ".weight"], {}, 1, 1);
      y = gelu(norm(torch::max_pool2d(y, 2), 2));
      y = gelu(norm(torch::conv2d(y, p[name(3) + ".weight"], {}, 1, 1), 4));
    }
    y = torch::linear(torch::amax(y, {2, 3}), p["head.weight"]) * 0.25;
    const auto got = model->forward(x);
    CHECK(got.sizes() == c10::IntArrayRef({4, 7}));
    CHECK(got.allclose(y, 1e-9, 1e-11));
  }
}

TEST_CASE("SpeedNet begins as it says", "[models]") {
  torch::manual_seed(0);
  rt::SpeedNet model;
  std::int64_t count = 0, frozen = 0;
  for (const auto& parameter : model->named_parameters()) {
    count += parameter.value().numel();
    frozen += parameter.value().requires_grad() ? 0 : parameter.value().numel();
    if (parameter.value().dim() == 4 && parameter.key() != "whiten.weight") {
      const auto in = parameter.value().size(1);
      const auto of_input = parameter.value().detach().slice(0, 0, in);
      auto identity = torch::zeros_like(of_input);
      identity.select(2, 1).select(2, 1).copy_(torch::eye(in));
      CHECK(of_input.equal(identity));
      if (parameter.value().size(0) > in) {
        // LibTorch's: uniform within 1 / sqrt(fan_in), whose deviation is that over sqrt(3). Of
        // 8,640 numbers at least: a deviation of their deviation is 0.5 %, and the bound eight of
        // them.
        const auto others = parameter.value().detach().slice(0, in);
        const double bound = 1 / std::sqrt(9.0 * static_cast<double>(in));
        CHECK(others.abs().max().item<double>() <= bound);
        CHECK(std::abs(others.std().item<double>() / (bound / std::sqrt(3.0)) - 1) < 0.04);
      }
    }
  }
  CHECK(count == 1'972'792);
  CHECK(frozen == 1'152);
  // The running statistics move by 0.4 a batch.
  model->train();
  const auto x = torch::randn({8, 3, 32, 32});
  model->forward(x);
  const auto y =
      torch::max_pool2d(torch::conv2d(torch::gelu(model->whiten->forward(x)),
                                      model->named_parameters()["layers.0.weight"], {}, 1, 1),
                        2);
  CHECK(model->named_buffers()["layers.2.running_mean"].allclose(0.4 * y.mean({0, 2, 3}), 1e-4,
                                                                 1e-6));
}

TEST_CASE("SpeedNet whitens by images, and keeps the filters", "[models]") {
  torch::manual_seed(0);
  rt::SpeedNet model;
  const auto images = torch::randn({50, 3, 32, 32});
  model->whiten_by(images);
  CHECK(model->whiten->weight.equal(rt::whitening_filters(images, 2)));
  CHECK_FALSE(model->whiten->weight.requires_grad());
  CHECK(model->whiten->bias.requires_grad());
  model->forward(images).sum().backward();
  CHECK_FALSE(model->whiten->weight.grad().defined());
  CHECK(model->whiten->bias.grad().defined());

  const auto before = model->whiten->weight.clone();
  CHECK(contains(error_of([&] { model->whiten_by(images.slice(1, 0, 2)); }),
                 "SpeedNet: wanted images [N,3,H,W] to whiten by, got Float [50, 2, 32, 32]"));
  CHECK(model->whiten->weight.equal(before));
}

TEST_CASE("SpeedNet says what is wrong", "[models]") {
  CHECK(contains(error_of([] { rt::SpeedNet(0); }), "SpeedNet: wanted at least 1 class, got 0"));
  CHECK(contains(error_of([] { rt::SpeedNet(rt::SpeedNetOptions().output_scale(NAN)); }),
                 "a finite output_scale, got nan"));
  rt::SpeedNet model;
  CHECK(contains(error_of([&] { model->forward(torch::zeros({1, 3, 31, 31})); }), "SpeedNet: "));
}

}  // namespace speed_net_test
