#include "regtorch/weights/fused_optimizer.hpp"

#include <cmath>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/Version.h>

#include "catch.hpp"
#include "regtorch/training/one_cycle_lr.hpp"
#include "regtorch/weights/decay_groups.hpp"
#include "regtorch/weights/fused_adam.hpp"
#include "regtorch/weights/fused_adamw.hpp"
#include "regtorch/weights/fused_sgd.hpp"

namespace fused_optimizer_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::Threads;
using torch::optim::AdamOptions;
using torch::optim::AdamWOptions;
using torch::optim::SGDOptions;

namespace {

/// An optimizer of ours, LibTorch's of the same rule, and options for them to agree on.
struct Adam {
  using Ours = rt::FusedAdam;
  using Theirs = torch::optim::Adam;
  static std::vector<AdamOptions> options() {
    return {AdamOptions(1e-2), AdamOptions(3e-3).weight_decay(0.1),
            AdamOptions(0.1).betas({0.5, 0.9}).eps(1e-3), AdamOptions(1e-2).betas({0, 0}).eps(1)};
  }
};
struct AdamW {
  using Ours = rt::FusedAdamW;
  using Theirs = torch::optim::AdamW;
  static std::vector<AdamWOptions> options() {
    return {AdamWOptions(1e-2), AdamWOptions(3e-3).weight_decay(0.5),
            AdamWOptions(0.1).betas({0.5, 0.9}).eps(1e-3).weight_decay(0)};
  }
};
struct Sgd {
  using Ours = rt::FusedSGD;
  using Theirs = torch::optim::SGD;
  static std::vector<SGDOptions> options() {
    return {SGDOptions(0.1),
            SGDOptions(0.1).weight_decay(0.01),
            SGDOptions(0.1).momentum(0.9),
            SGDOptions(0.1).momentum(0.9).dampening(0.3).weight_decay(0.01),
            SGDOptions(0.1).momentum(0.9).nesterov(true),
            SGDOptions(0.1).momentum(0.9).nesterov(true).weight_decay(5e-4)};
  }
};

using Tensors = std::vector<torch::Tensor>;

Tensors random(const std::vector<std::vector<std::int64_t>>& shapes, std::uint64_t seed,
               torch::Dtype type = torch::kFloat) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  Tensors tensors;
  for (const auto& shape : shapes) {
    tensors.push_back(torch::randn(shape, generator).to(type));
  }
  return tensors;
}

/// New leaves with the values and the strides of `tensors`.
Tensors leaves(const Tensors& tensors) {
  Tensors copies;
  for (const auto& tensor : tensors) {
    copies.push_back(tensor.detach().clone().requires_grad_());
  }
  return copies;
}

void set_gradients(const Tensors& parameters, const Tensors& gradients) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].mutable_grad() = gradients[i].defined() ? gradients[i].clone() : gradients[i];
  }
}

/// Whether both sides have the instruction that multiplies and adds with one rounding.
bool rounds_alike() {
  return rt::kernels::active_isa() != rt::kernels::Isa::kBaseline &&
         at::get_cpu_capability() != "DEFAULT";
}

/// In units in the last place of `like`, how far the furthest elements are apart.
double units_apart(const torch::Tensor& a, const torch::Tensor& b, double like) {
  if (a.numel() == 0) {
    return 0;
  }
  const double epsilon = a.scalar_type() == torch::kDouble ? 0x1p-52 : 0x1p-23;
  return (a.detach().to(torch::kDouble) - b.detach().to(torch::kDouble))
             .abs()
             .max()
             .template item<double>() /
         (like * epsilon);
}

const std::vector<std::vector<std::int64_t>> kShapes = [] {
  std::vector<std::vector<std::int64_t>> shapes{{}, {0}, {16, 3, 3, 3}, {70'001}, {5, 4}};
  for (std::int64_t size = 1; size <= 33; ++size) {
    shapes.push_back({size});
  }
  return shapes;
}();

}  // namespace

TEMPLATE_TEST_CASE("fused optimizers step as torch::optim's, 50 times", "[weights]", Adam, AdamW,
                   Sgd) {
  const auto type = GENERATE(torch::kFloat, torch::kDouble);
  for (const auto& options : TestType::options()) {
    const auto start = random(kShapes, 1, type);
    const auto ours = leaves(start);
    const auto theirs = leaves(start);
    typename TestType::Ours fused(ours, options);
    typename TestType::Theirs plain(theirs, options);
    for (std::uint64_t step = 1; step <= 50; ++step) {
      auto gradients = random(kShapes, 100 + step, type);
      gradients[3].mul_(1e-4);  // and some that weight decay and eps outweigh
      set_gradients(ours, gradients);
      set_gradients(theirs, gradients);
      fused.step();
      plain.step();
      for (std::size_t i = 0; i < ours.size(); ++i) {
        if (std::is_same_v<TestType, Sgd> && rounds_alike()) {
          REQUIRE(ours[i].equal(theirs[i]));
        } else {
          // Weights are of the size of 1, at most 6; a step adds a rounding of each side.
          CAPTURE(step, i, options.lr());
          REQUIRE(units_apart(ours[i], theirs[i], 1) <= 4.0 * static_cast<double>(step));
        }
      }
    }
    CHECK(fused.state().size() == plain.state().size());
  }
}

TEMPLATE_TEST_CASE("fused Adam and AdamW keep torch::optim's means bit for bit", "[weights]", Adam,
                   AdamW) {
  if (!rounds_alike()) {
    return;
  }
  auto options = TestType::options()[0];
  options.weight_decay(std::is_same_v<TestType, Adam> ? 0 : 0.1);
  using State = std::conditional_t<std::is_same_v<TestType, Adam>, torch::optim::AdamParamState,
                                   torch::optim::AdamWParamState>;
  const auto start = random(kShapes, 1);
  const auto ours = leaves(start);
  const auto theirs = leaves(start);
  typename TestType::Ours fused(ours, options);
  typename TestType::Theirs plain(theirs, options);
  for (std::uint64_t step = 1; step <= 10; ++step) {
    set_gradients(ours, random(kShapes, step));
    set_gradients(theirs, random(kShapes, step));
    fused.step();
    plain.step();
  }
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto& a = static_cast<State&>(*fused.state().at(ours[i].unsafeGetTensorImpl()));
    const auto& b = static_cast<State&>(*plain.state().at(theirs[i].unsafeGetTensorImpl()));
    CHECK(a.step() == 10);
    CHECK(a.exp_avg().equal(b.exp_avg()));
    CHECK(a.exp_avg_sq().equal(b.exp_avg_sq()));
  }
}

TEMPLATE_TEST_CASE("fused optimizers take gradients of other strides than the weights'",
                   "[weights]", Adam, AdamW, Sgd) {
  const bool weights_are_last = GENERATE(false, true);
  const std::vector<std::vector<std::int64_t>> shapes{{8, 5, 3, 3}, {6, 7, 1, 1}, {4, 9}};
  auto start = random(shapes, 2);
  if (weights_are_last) {
    start[0] = start[0].contiguous(torch::MemoryFormat::ChannelsLast);
    start[1] = start[1].contiguous(torch::MemoryFormat::ChannelsLast);
  }
  const auto ours = leaves(start);
  const auto theirs = leaves(start);
  const auto options = TestType::options().back();
  typename TestType::Ours fused(ours, options);
  typename TestType::Theirs plain(theirs, options);
  for (std::uint64_t step = 1; step <= 3; ++step) {
    auto gradients = random(shapes, 10 + step);
    if (!weights_are_last) {
      gradients[0] = gradients[0].contiguous(torch::MemoryFormat::ChannelsLast);
      gradients[1] = gradients[1].contiguous(torch::MemoryFormat::ChannelsLast);
    }
    gradients[2] = random({{9, 4}}, 20 + step)[0].t();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      ours[i].mutable_grad() = gradients[i];
      theirs[i].mutable_grad() =
          gradients[i].contiguous(i < 2 && weights_are_last ? torch::MemoryFormat::ChannelsLast
                                                            : torch::MemoryFormat::Contiguous);
    }
    fused.step();
    plain.step();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      CHECK(ours[i].strides() == start[i].strides());
      CHECK(units_apart(ours[i], theirs[i], 1) <= 8);
    }
  }
}

TEMPLATE_TEST_CASE("fused optimizers go on when the weights get other strides", "[weights]", Adam,
                   Sgd) {
  const auto start = random({{8, 5, 3, 3}}, 3);
  const auto ours = leaves(start);
  const auto theirs = leaves(start);
  const auto options = TestType::options()[2];  // SGD with momentum
  typename TestType::Ours fused(ours, options);
  typename TestType::Theirs plain(theirs, options);
  for (std::uint64_t step = 1; step <= 4; ++step) {
    if (step == 3) {
      ours[0].set_data(ours[0].data().contiguous(torch::MemoryFormat::ChannelsLast));
    }
    set_gradients(ours, random({{8, 5, 3, 3}}, 10 + step));
    set_gradients(theirs, random({{8, 5, 3, 3}}, 10 + step));
    fused.step();
    plain.step();
    CHECK(units_apart(ours[0], theirs[0], 1) <= 8);
  }
  CHECK(ours[0].is_contiguous(torch::MemoryFormat::ChannelsLast));
}

TEMPLATE_TEST_CASE("fused optimizers leave parameters without a gradient", "[weights]", Adam, AdamW,
                   Sgd) {
  const auto start = random({{40}, {40}, {40}}, 4);
  const auto ours = leaves(start);
  const auto theirs = leaves(start);
  const auto options = TestType::options()[1];
  typename TestType::Ours fused(ours, options);
  typename TestType::Theirs plain(theirs, options);
  fused.step();  // none has one
  CHECK(fused.state().empty());
  for (std::uint64_t step = 1; step <= 4; ++step) {
    auto gradients = random({{40}, {40}, {40}}, 30 + step);
    gradients[0] = torch::Tensor();
    if (step < 3) {
      gradients[1] = torch::Tensor();
    }
    set_gradients(ours, gradients);
    set_gradients(theirs, gradients);
    fused.step();
    plain.step();
    CHECK(ours[0].equal(start[0]));
    CHECK(ours[1].equal(start[1]) == (step < 3));
    CHECK(units_apart(ours[1], theirs[1], 1) <= 8);
    CHECK(units_apart(ours[2], theirs[2], 1) <= 8);
  }
  CHECK(fused.state().size() == plain.state().size());
}

TEMPLATE_TEST_CASE("fused optimizers leave to torch::optim what the pass can't take", "[weights]",
                   Adam, AdamW, Sgd) {
  // bfloat16, float16, a view with gaps, and between them what it can; equal bits for the others.
  const auto whole = random({{9, 14}}, 5)[0];
  Tensors start = random({{33}, {33}}, 6);
  start.push_back(start[0].to(torch::kBFloat16));
  start.push_back(start[1].to(torch::kHalf));
  start.push_back(random({{50}}, 7, torch::kDouble)[0]);
  const auto options = TestType::options()[1];
  auto ours = leaves(start);
  auto theirs = leaves(start);
  const auto our_whole = whole.clone();
  const auto their_whole = whole.clone();
  ours.push_back(our_whole.slice(1, 0, 14, 2).requires_grad_());
  theirs.push_back(their_whole.slice(1, 0, 14, 2).requires_grad_());
  typename TestType::Ours fused(ours, options);
  typename TestType::Theirs plain(theirs, options);
  for (std::uint64_t step = 1; step <= 3; ++step) {
    Tensors gradients;
    auto generator = at::make_generator<at::CPUGeneratorImpl>(step);
    for (const auto& parameter : ours) {
      gradients.push_back(torch::randn(parameter.sizes(), generator).to(parameter.scalar_type()));
    }
    set_gradients(ours, gradients);
    set_gradients(theirs, gradients);
    fused.step();
    plain.step();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const bool passes = i < 2 || i == 4;
      CAPTURE(step, i);
      // Equal with NaN: Adam's square of a small float16 gradient and its eps are 0, and 0 / 0 is
      // not.
      CHECK((passes ? units_apart(ours[i], theirs[i], 1) <= 8
                    : ours[i].allclose(theirs[i], 0, 0, /*equal_nan=*/true)));
      CHECK_FALSE(ours[i].equal(i < 5 ? start[i] : whole.slice(1, 0, 14, 2)));
    }
    CHECK(our_whole.slice(1, 1, 14, 2).equal(whole.slice(1, 1, 14, 2)));
  }
  CHECK(fused.param_groups().size() == 1);
  CHECK(fused.param_groups()[0].params().size() == 6);
}

TEST_CASE("fused optimizers step each group by its own options", "[weights]") {
  const auto start = random({{50}, {60}, {70}}, 8);
  const auto ours = leaves(start);
  const auto theirs = leaves(start);
  const auto groups = [](const Tensors& p) {
    return std::vector<rt::ParameterGroup<AdamOptions>>{
        {{p[0]}, AdamOptions(0.1).weight_decay(0.1)},
        {{p[1]}, AdamOptions(1e-3).amsgrad(true)},  // torch::optim's own step
        {{p[2]}, AdamOptions(1e-2).betas({0.8, 0.9})}};
  };
  auto fused = rt::with_parameter_groups<rt::FusedAdam>(groups(ours));
  auto plain = rt::with_parameter_groups<torch::optim::Adam>(groups(theirs));
  for (std::uint64_t step = 1; step <= 4; ++step) {
    set_gradients(ours, random({{50}, {60}, {70}}, 40 + step));
    set_gradients(theirs, random({{50}, {60}, {70}}, 40 + step));
    fused.step();
    plain.step();
    CHECK(units_apart(ours[0], theirs[0], 1) <= 8);
    CHECK(ours[1].equal(theirs[1]));
    CHECK(units_apart(ours[2], theirs[2], 1) <= 8);
  }
  torch::nn::Linear model(3, 2);
  const auto decayed =
      rt::with_decay_groups<rt::FusedSGD>(*model, SGDOptions(0.1).weight_decay(0.5));
  CHECK(decayed.param_groups().size() == 2);
}

TEMPLATE_TEST_CASE("fused optimizers give the same bits for any number of threads", "[weights]",
                   Adam, Sgd) {
  const std::vector<std::vector<std::int64_t>> shapes{{200'003}, {7}, {3, 20'000}, {64}, {16'384}};
  const auto run = [&](int threads) {
    const Threads scope(threads);
    const auto parameters = leaves(random(shapes, 9));
    typename TestType::Ours fused(parameters, TestType::options().back());
    for (std::uint64_t step = 1; step <= 2; ++step) {
      set_gradients(parameters, random(shapes, 50 + step));
      fused.step();
    }
    return parameters;
  };
  const auto one = run(1);
  for (const int threads : {2, 3, 7}) {
    const auto many = run(threads);
    for (std::size_t i = 0; i < one.size(); ++i) {
      CHECK(many[i].equal(one[i]));
    }
  }
}

TEMPLATE_TEST_CASE("fused optimizers and torch::optim's read each other's files", "[weights]", Adam,
                   AdamW, Sgd) {
  const std::vector<std::vector<std::int64_t>> shapes{{33}, {4, 3, 3, 3}};
  const auto options = TestType::options()[3 % TestType::options().size()];
  auto start = random(shapes, 10);
  start[1] = start[1].contiguous(torch::MemoryFormat::ChannelsLast);
  const auto steps = [&](torch::optim::Optimizer& optimizer, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t step = from; step < to; ++step) {
      set_gradients(optimizer.param_groups()[0].params(), random(shapes, 60 + step));
      optimizer.step();
    }
  };
  const auto unbroken = leaves(start);
  typename TestType::Theirs plain(unbroken, options);
  steps(plain, 0, 3);
  const auto after_three = leaves(unbroken);
  std::stringstream their_file;
  torch::save(plain, their_file);
  steps(plain, 3, 6);

  // Theirs into ours, with other options until the file's come.
  const auto ours = leaves(after_three);
  auto other = options;
  other.lr(7);
  typename TestType::Ours fused(ours, other);
  torch::load(fused, their_file);
  std::stringstream our_file;
  torch::save(fused, our_file);
  steps(fused, 3, 6);
  // And back.
  const auto theirs = leaves(after_three);
  typename TestType::Theirs again(theirs, other);
  torch::load(again, our_file);
  steps(again, 3, 6);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CHECK(units_apart(ours[i], unbroken[i], 1) <= 12);
    CHECK(theirs[i].equal(unbroken[i]));
    CHECK_FALSE(ours[i].equal(after_three[i]));
  }
}

TEMPLATE_TEST_CASE("fused optimizers call the closure with gradients on", "[weights]", Adam, Sgd) {
  const auto w = torch::full({20}, 2.0).requires_grad_();
  typename TestType::Ours fused({w}, TestType::options()[0]);
  const torch::NoGradGuard no_grad;
  const auto loss = fused.step([&] {
    fused.zero_grad();
    auto value = w.square().sum();
    value.backward();
    return value;
  });
  CHECK(loss.template item<float>() == 80);
  CHECK(w.lt(2).all().template item<bool>());
}

TEST_CASE("fused optimizers let autograd see that the weights changed", "[weights]") {
  const auto w = torch::ones({20}).requires_grad_();
  rt::FusedSGD optimizer({w}, SGDOptions(0.1));
  const auto loss = w.square().sum();
  loss.backward({}, /*retain_graph=*/true);
  optimizer.step();
  CHECK(contains(error_of([&] { loss.backward(); }), "modified by an inplace operation"));
}

TEST_CASE("fused optimizers step a parameter twice that is listed twice", "[weights]") {
  const auto start = random({{20}}, 11);
  const auto ours = leaves(start);
  const auto theirs = leaves(start);
  rt::FusedAdam fused({ours[0], ours[0]}, AdamOptions(0.1));
  torch::optim::Adam plain({theirs[0], theirs[0]}, AdamOptions(0.1));
  set_gradients(ours, start);
  set_gradients(theirs, start);
  fused.step();
  plain.step();
  CHECK(units_apart(ours[0], theirs[0], 1) <= 4);
  // Or that shares its memory with another.
  const auto alias = ours[0].detach().requires_grad_();
  const auto their_alias = theirs[0].detach().requires_grad_();
  rt::FusedSGD fused_sgd({ours[0], alias}, SGDOptions(0.1));
  torch::optim::SGD plain_sgd({theirs[0], their_alias}, SGDOptions(0.1));
  for (const auto& w : {ours[0], alias, theirs[0], their_alias}) {
    w.mutable_grad() = start[0];
  }
  fused_sgd.step();
  plain_sgd.step();
  CHECK(units_apart(ours[0], theirs[0], 1) <= 8);
}

TEST_CASE("fused optimizers follow a learning-rate schedule", "[weights]") {
  const auto start = random({{20}}, 12);
  const auto ours = leaves(start);
  const auto theirs = leaves(start);
  rt::FusedAdam fused(ours, AdamOptions(0.1));
  torch::optim::Adam plain(theirs, AdamOptions(0.1));
  rt::OneCycleLR our_schedule(fused, rt::OneCycleLROptions(0.1, 5));
  rt::OneCycleLR their_schedule(plain, rt::OneCycleLROptions(0.1, 5));
  for (std::uint64_t step = 1; step <= 5; ++step) {
    set_gradients(ours, random({{20}}, step));
    set_gradients(theirs, random({{20}}, step));
    fused.step();
    plain.step();
    our_schedule.step();
    their_schedule.step();
    CHECK(units_apart(ours[0], theirs[0], 1) <= 8);
  }
}

TEST_CASE("fused optimizers make torch::optim's errors", "[weights]") {
  const auto w = torch::ones({4, 3}).requires_grad_();
  CHECK(contains(error_of([&] { rt::FusedAdam({w}, AdamOptions(-1)); }),
                 "Invalid learning rate: -1"));
  CHECK(contains(error_of([&] { rt::FusedSGD({w}, SGDOptions(0.1).nesterov(true)); }),
                 "Nesterov momentum requires"));
  rt::FusedAdam adam({w}, AdamOptions(0.1));
  w.mutable_grad() = torch::ones({4, 3}).to_sparse();
  CHECK(contains(error_of([&] { adam.step(); }), "does not support sparse gradients"));
  CHECK(adam.param_groups()[0].params()[0].is_same(w));
  CHECK(w.equal(torch::ones({4, 3})));
}

}  // namespace fused_optimizer_test
