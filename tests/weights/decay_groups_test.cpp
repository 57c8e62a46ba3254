#include "regtorch/weights/decay_groups.hpp"

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "catch.hpp"

namespace decay_groups_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

/// Every kind of parameter: filters, matrices, biases, normalisation.
torch::nn::Sequential network() {
  torch::manual_seed(3);
  return torch::nn::Sequential(
      torch::nn::Conv2d(3, 4, 3), torch::nn::BatchNorm2d(4), torch::nn::ReLU(),
      torch::nn::Flatten(), torch::nn::Linear(torch::nn::LinearOptions(4 * 4 * 4, 5).bias(false)),
      torch::nn::LayerNorm(torch::nn::LayerNormOptions({5})), torch::nn::Linear(5, 2));
}

std::vector<std::string> names_in(const torch::nn::Module& module,
                                  const torch::optim::OptimizerParamGroup& group) {
  std::vector<std::string> names;
  for (const auto& parameter : group.params()) {
    for (const auto& entry : module.named_parameters()) {
      if (entry.value().is_same(parameter)) {
        names.push_back(entry.key());
      }
    }
  }
  return names;
}

template <class Options>
const Options& options_of(const torch::optim::Optimizer& optimizer, std::size_t group) {
  return dynamic_cast<const Options&>(optimizer.param_groups().at(group).options());
}

template <class Options>
struct Of;
template <>
struct Of<torch::optim::SGDOptions> {
  using Optimizer = torch::optim::SGD;
  static torch::optim::SGDOptions plain() { return {1e-3}; }  // has no default lr
  static torch::optim::SGDOptions other() {
    return torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4).nesterov(true);
  }
};
template <>
struct Of<torch::optim::AdamOptions> {
  using Optimizer = torch::optim::Adam;
  static torch::optim::AdamOptions plain() { return {}; }
  static torch::optim::AdamOptions other() {
    return torch::optim::AdamOptions(0.1)
        .weight_decay(1e-3)
        .betas({0.8, 0.99})
        .eps(1e-6)
        .amsgrad(true);
  }
};
template <>
struct Of<torch::optim::AdamWOptions> {
  using Optimizer = torch::optim::AdamW;
  static torch::optim::AdamWOptions plain() { return {}; }
  static torch::optim::AdamWOptions other() {
    return torch::optim::AdamWOptions(0.1)
        .weight_decay(0.05)
        .betas({0.8, 0.99})
        .eps(1e-6)
        .amsgrad(true);
  }
};
template <>
struct Of<torch::optim::RMSpropOptions> {
  using Optimizer = torch::optim::RMSprop;
  static torch::optim::RMSpropOptions plain() { return {}; }
  static torch::optim::RMSpropOptions other() {
    return torch::optim::RMSpropOptions(0.1).weight_decay(1e-3).alpha(0.9).momentum(0.9).centered(
        true);
  }
};
template <>
struct Of<torch::optim::AdagradOptions> {
  using Optimizer = torch::optim::Adagrad;
  static torch::optim::AdagradOptions plain() { return {}; }
  static torch::optim::AdagradOptions other() {
    return torch::optim::AdagradOptions(0.1).weight_decay(1e-3).lr_decay(0.1);
  }
};

/// A linear regression in float64: one decayed weight, one bias.
struct Regression {
  torch::nn::Linear model{nullptr};
  torch::Tensor x;
  torch::Tensor y;

  Regression() {
    torch::manual_seed(11);
    model = torch::nn::Linear(3, 2);
    model->to(torch::kDouble);
    x = torch::randn({8, 3}, torch::kDouble);
    y = torch::randn({8, 2}, torch::kDouble);
  }
  torch::Tensor loss() { return torch::mse_loss(model(x), y); }
  void step(torch::optim::Optimizer& optimizer) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
};

/// The same regression by hand: gradients in closed form, and a parameter's own state.
struct ByHand {
  explicit ByHand(const Regression& regression)
      : x(regression.x),
        y(regression.y),
        weight(regression.model->weight.detach().clone()),
        bias(regression.model->bias.detach().clone()) {}

  /// The gradients of the weight and of the bias.
  std::pair<torch::Tensor, torch::Tensor> gradients() const {
    const auto error = (x.matmul(weight.t()) + bias - y) * (2.0 / static_cast<double>(y.numel()));
    return {error.t().matmul(x), error.sum(0)};
  }

  torch::Tensor x;
  torch::Tensor y;
  torch::Tensor weight;
  torch::Tensor bias;
};

}  // namespace

TEST_CASE("with_decay_groups decays parameters of two or more dimensions only", "[weights]") {
  const auto model = network();
  auto optimizer = rt::with_decay_groups<torch::optim::SGD>(
      *model, torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4));
  STATIC_REQUIRE(std::is_same_v<decltype(optimizer), torch::optim::SGD>);
  REQUIRE(optimizer.param_groups().size() == 2);
  CHECK(names_in(*model, optimizer.param_groups()[0]) ==
        std::vector<std::string>{"0.weight", "4.weight", "6.weight"});
  CHECK(names_in(*model, optimizer.param_groups()[1]) ==
        std::vector<std::string>{"0.bias", "1.weight", "1.bias", "5.weight", "5.bias", "6.bias"});
}

TEMPLATE_TEST_CASE("with_decay_groups keeps every option but the weight decay", "[weights]",
                   torch::optim::SGDOptions, torch::optim::AdamOptions, torch::optim::AdamWOptions,
                   torch::optim::RMSpropOptions, torch::optim::AdagradOptions) {
  using Optimizer = typename Of<TestType>::Optimizer;
  const auto model = network();
  for (TestType options : {Of<TestType>::plain(), Of<TestType>::other()}) {
    const auto optimizer = rt::with_decay_groups<Optimizer>(*model, options);
    REQUIRE(optimizer.param_groups().size() == 2);
    CHECK(options_of<TestType>(optimizer, 0) == options);
    options.weight_decay(0);
    CHECK(options_of<TestType>(optimizer, 1) == options);
  }
}

TEMPLATE_TEST_CASE("with_parameter_groups keeps options that equal the constructor's defaults",
                   "[weights]", torch::optim::SGDOptions, torch::optim::AdamOptions,
                   torch::optim::AdamWOptions, torch::optim::RMSpropOptions,
                   torch::optim::AdagradOptions) {
  using Optimizer = typename Of<TestType>::Optimizer;
  const auto model = network();
  const auto all = model->parameters();
  const TestType other = Of<TestType>::other();
  const TestType plain = Of<TestType>::plain();
  const std::vector<rt::ParameterGroup<TestType>> groups{
      {{all[0]}, other}, {{all[1]}, plain}, {{all[2], all[3]}, other}};
  auto optimizer = rt::with_parameter_groups<Optimizer>(groups);
  REQUIRE(optimizer.param_groups().size() == 3);
  CHECK(options_of<TestType>(optimizer, 0) == other);
  CHECK(options_of<TestType>(optimizer, 1) == plain);
  CHECK(options_of<TestType>(optimizer, 1).get_lr() == plain.get_lr());
  CHECK(options_of<TestType>(optimizer, 2) == other);
  CHECK(dynamic_cast<const TestType&>(optimizer.defaults()) == other);

  // The step goes by them: each group moves as under an optimizer of its own.
  std::vector<torch::Tensor> copies;
  for (std::size_t i = 0; i < 4; ++i) {
    copies.push_back(all[i].detach().clone().requires_grad_());
    all[i].mutable_grad() = torch::full_like(all[i], 0.3);
    copies[i].mutable_grad() = torch::full_like(all[i], 0.3);
  }
  Optimizer first({copies[0], copies[2], copies[3]}, other);
  Optimizer second({copies[1]}, plain);
  for (int step = 0; step < 2; ++step) {
    optimizer.step();
    first.step();
    second.step();
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(all[i].equal(copies[i]));
  }
}

TEST_CASE("with_parameter_groups starts Adagrad's sums by each group", "[weights]") {
  const auto a = torch::ones({2}).requires_grad_();
  const auto b = torch::ones({2}).requires_grad_();
  using torch::optim::AdagradOptions;
  const auto optimizer = rt::with_parameter_groups<torch::optim::Adagrad>(
      std::vector<rt::ParameterGroup<AdagradOptions>>{
          {{a}, AdagradOptions().initial_accumulator_value(0.5)}, {{b}, AdagradOptions()}});
  REQUIRE(optimizer.state().size() == 2);
  const auto sum = [&](const torch::Tensor& parameter) {
    return dynamic_cast<const torch::optim::AdagradParamState&>(
               *optimizer.state().at(parameter.unsafeGetTensorImpl()))
        .sum();
  };
  CHECK(sum(a).equal(torch::full({2}, 0.5)));
  CHECK(sum(b).equal(torch::zeros({2})));
}

TEST_CASE("with_decay_groups trains as the formula of SGD with momentum", "[weights]") {
  Regression regression;
  ByHand by_hand(regression);
  auto optimizer = rt::with_decay_groups<torch::optim::SGD>(
      *regression.model, torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.2));
  torch::Tensor weight_velocity = torch::zeros_like(by_hand.weight);
  torch::Tensor bias_velocity = torch::zeros_like(by_hand.bias);
  for (int step = 0; step < 3; ++step) {
    regression.step(optimizer);
    const auto [weight_gradient, bias_gradient] = by_hand.gradients();
    weight_velocity = 0.9 * weight_velocity + weight_gradient + 0.2 * by_hand.weight;
    bias_velocity = 0.9 * bias_velocity + bias_gradient;
    by_hand.weight -= 0.1 * weight_velocity;
    by_hand.bias -= 0.1 * bias_velocity;
    CHECK(regression.model->weight.allclose(by_hand.weight, 1e-12, 1e-14));
    CHECK(regression.model->bias.allclose(by_hand.bias, 1e-12, 1e-14));
  }
}

TEST_CASE("with_decay_groups trains as the formulas of Adam and AdamW", "[weights]") {
  // Adam's weight decay is a part of the gradient, AdamW's a step of its own.
  const bool decoupled = GENERATE(false, true);
  const double lr = 0.01;
  const double decay = 0.3;
  Regression regression;
  ByHand by_hand(regression);
  const auto train = [&](auto optimizer) {
    struct Moments {
      torch::Tensor first;
      torch::Tensor second;
    };
    Moments of_weight{torch::zeros_like(by_hand.weight), torch::zeros_like(by_hand.weight)};
    Moments of_bias{torch::zeros_like(by_hand.bias), torch::zeros_like(by_hand.bias)};
    const auto adam = [&](torch::Tensor& w, const torch::Tensor& g, Moments& m, int t) {
      m.first = 0.9 * m.first + 0.1 * g;
      m.second = 0.999 * m.second + 0.001 * g * g;
      const auto first = m.first / (1 - std::pow(0.9, t));
      const auto second = m.second / (1 - std::pow(0.999, t));
      w -= lr * first / (second.sqrt() + 1e-8);
    };
    for (int step = 1; step <= 3; ++step) {
      regression.step(optimizer);
      const auto [weight_gradient, bias_gradient] = by_hand.gradients();
      if (decoupled) {
        by_hand.weight *= 1 - lr * decay;
        adam(by_hand.weight, weight_gradient, of_weight, step);
      } else {
        adam(by_hand.weight, weight_gradient + decay * by_hand.weight, of_weight, step);
      }
      adam(by_hand.bias, bias_gradient, of_bias, step);
      CHECK(regression.model->weight.allclose(by_hand.weight, 1e-10, 1e-12));
      CHECK(regression.model->bias.allclose(by_hand.bias, 1e-10, 1e-12));
    }
  };
  if (decoupled) {
    train(rt::with_decay_groups<torch::optim::AdamW>(
        *regression.model, torch::optim::AdamWOptions(lr).weight_decay(decay)));
  } else {
    train(rt::with_decay_groups<torch::optim::Adam>(
        *regression.model, torch::optim::AdamOptions(lr).weight_decay(decay)));
  }
}

TEST_CASE("with_decay_groups of weights alone is the plain optimizer", "[weights]") {
  // The study text's L2: Adam with a weight decay of 1e-3.
  torch::manual_seed(2);
  const auto linear = [](std::int64_t in, std::int64_t out) {
    return torch::nn::Linear(torch::nn::LinearOptions(in, out).bias(false));
  };
  torch::nn::Sequential model(linear(6, 9), torch::nn::Tanh(), linear(9, 3));
  const auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(model->clone());
  const auto options = torch::optim::AdamOptions(1e-3).weight_decay(1e-3);
  auto optimizer = rt::with_decay_groups<torch::optim::Adam>(*model, options);
  CHECK(optimizer.param_groups().size() == 1);  // the empty group is left out
  torch::optim::Adam plain(copy->parameters(), options);
  const auto x = torch::randn({16, 6});
  const auto y = torch::randint(0, 3, {16});
  for (int step = 0; step < 3; ++step) {
    for (auto* one : {model.get(), copy.get()}) {
      one->zero_grad();
      torch::cross_entropy_loss(one->forward(x), y).backward();
    }
    optimizer.step();
    plain.step();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(model->parameters()[i].equal(copy->parameters()[i]));
  }
}

TEST_CASE("with_decay_groups decays channels_last and bfloat16 weights", "[weights]") {
  const auto type = GENERATE(torch::kFloat, torch::kBFloat16, torch::kDouble);
  const double bound = type == torch::kBFloat16 ? 4e-3 : 1e-6;
  torch::nn::Conv2d layer(5, 4, 3);
  layer->to(type);
  layer->weight.set_data(layer->weight.detach().contiguous(torch::MemoryFormat::ChannelsLast));
  const auto weight = layer->weight.detach().to(torch::kDouble, false, true);
  const auto bias = layer->bias.detach().clone();
  auto optimizer = rt::with_decay_groups<torch::optim::SGD>(
      *layer, torch::optim::SGDOptions(0.5).weight_decay(0.5));
  for (auto& parameter : layer->parameters()) {
    parameter.mutable_grad() = torch::zeros_like(parameter);
  }
  optimizer.step();
  optimizer.step();
  CHECK(layer->weight.to(torch::kDouble).allclose(weight * 0.75 * 0.75, 2 * bound, 0));
  CHECK(layer->weight.is_contiguous(torch::MemoryFormat::ChannelsLast));
  CHECK(layer->bias.equal(bias));
}

TEST_CASE("with_decay_groups leaves frozen parameters out and takes shared ones once",
          "[weights]") {
  torch::nn::Linear shared(4, 4);
  torch::nn::Linear frozen(4, 4);
  for (auto& parameter : frozen->parameters()) {
    parameter.requires_grad_(false);
  }
  torch::nn::Sequential model(shared, frozen, shared);
  CHECK(model->parameters().size() == 6);
  const auto optimizer =
      rt::with_decay_groups<torch::optim::AdamW>(*model, torch::optim::AdamWOptions());
  REQUIRE(optimizer.param_groups().size() == 2);
  CHECK(names_in(*shared, optimizer.param_groups()[0]) == std::vector<std::string>{"weight"});
  CHECK(names_in(*shared, optimizer.param_groups()[1]) == std::vector<std::string>{"bias"});
  CHECK(optimizer.param_groups()[0].params().size() == 1);
  CHECK(optimizer.param_groups()[1].params().size() == 1);
}

TEST_CASE("with_decay_groups goes by the filter given", "[weights]") {
  const auto model = network();
  const auto optimizer = rt::with_decay_groups<torch::optim::SGD>(
      *model, torch::optim::SGDOptions(0.1).weight_decay(1e-4),
      [](const std::string& name, const torch::Tensor& parameter) {
        return rt::at_least_2d(name, parameter) && name != "0.weight";
      });
  CHECK(names_in(*model, optimizer.param_groups()[0]) ==
        std::vector<std::string>{"4.weight", "6.weight"});
  CHECK(optimizer.param_groups()[1].params().size() == 7);
  // Only biases and normalisation: one group, not decayed.
  torch::nn::BatchNorm2d norm(3);
  const auto one = rt::with_decay_groups<torch::optim::SGD>(
      *norm, torch::optim::SGDOptions(0.1).weight_decay(1e-4));
  REQUIRE(one.param_groups().size() == 1);
  CHECK(options_of<torch::optim::SGDOptions>(one, 0).weight_decay() == 0);
}

TEST_CASE("with_decay_groups says what is wrong", "[weights]") {
  using torch::optim::SGD;
  using torch::optim::SGDOptions;
  using Groups = std::vector<rt::ParameterGroup<SGDOptions>>;
  STATIC_REQUIRE(rt::DecayOptions<SGDOptions>);
  STATIC_REQUIRE_FALSE(rt::DecayOptions<torch::optim::LBFGSOptions>);
  STATIC_REQUIRE_FALSE(rt::DecayOptions<double>);

  torch::nn::Linear model(2, 2);
  const auto weight = model->weight;
  CHECK(contains(
      error_of([&] { rt::with_decay_groups<SGD>(*model, SGDOptions(0.1).weight_decay(-1)); }),
      "weight_decay"));
  // The options of the second group are checked too, which LibTorch does not do.
  CHECK(contains(error_of([&] {
                   rt::with_parameter_groups<SGD>(
                       Groups{{{weight}, SGDOptions(0.1)}, {{model->bias}, SGDOptions(-2)}});
                 }),
                 "Invalid learning rate: -2"));
  CHECK(contains(error_of([&] { rt::with_parameter_groups<SGD>(Groups{}); }),
                 "wanted at least one group, got none"));
  CHECK(contains(
      error_of([&] {
        rt::with_parameter_groups<SGD>(Groups{{{weight}, SGDOptions(0.1)}, {{}, SGDOptions(0.1)}});
      }),
      "got none in group 1"));
  CHECK(contains(error_of([&] {
                   rt::with_parameter_groups<SGD>(
                       Groups{{{weight}, SGDOptions(0.1)}, {{weight}, SGDOptions(0.1)}});
                 }),
                 "wanted each parameter once, got Float [2, 2] on cpu again in group 1"));
  CHECK(contains(error_of([&] {
                   rt::with_parameter_groups<SGD>(Groups{{{torch::Tensor()}, SGDOptions(0.1)}});
                 }),
                 "got an undefined tensor in group 0"));
  for (auto& parameter : model->parameters()) {
    parameter.requires_grad_(false);
  }
  CHECK(contains(error_of([&] { rt::with_decay_groups<SGD>(*model, SGDOptions(0.1)); }),
                 "wanted a module with a trainable parameter, got none among its 2"));
}

}  // namespace decay_groups_test
