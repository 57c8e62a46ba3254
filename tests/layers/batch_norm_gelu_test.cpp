#include "regtorch/layers/batch_norm_gelu.hpp"

#include <optional>
#include <vector>

#include <torch/csrc/autograd/forward_grad.h>

#include "catch.hpp"

namespace layers_batch_norm_gelu_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::Threads;

namespace {

constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;

torch::nn::BatchNormOptions options_of(std::int64_t channels) {
  return torch::nn::BatchNormOptions(channels).eps(1e-3).momentum(0.3);
}

/// Weights and biases that are not 1 and 0.
template <class Norm>
void randomize(Norm& norm) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  norm->weight.uniform_(-2, 2);
  norm->bias.normal_();
}

/// What LibTorch's two layers make in float64 of the same numbers.
struct Reference {
  explicit Reference(std::int64_t channels) : norm(options_of(channels)) {
    randomize(norm);
    norm->to(torch::kDouble);
  }
  torch::Tensor operator()(const torch::Tensor& x) { return torch::gelu(norm(x)); }

  torch::nn::BatchNorm2d norm;
};

/// |got - wanted| <= bound (1 + |wanted|), everywhere.
bool near(const torch::Tensor& got, const torch::Tensor& wanted, double bound) {
  return got.to(torch::kDouble).allclose(wanted, bound, bound);
}

/// Half of the distance of numbers around 1, with what float32 arithmetic adds.
double bound_of(torch::ScalarType type) {
  return type == torch::kBFloat16 ? 0x1p-8 + 1e-5 : type == torch::kHalf ? 0x1p-11 + 1e-5 : 1e-5;
}

}  // namespace

TEST_CASE("BatchNormGELU is batch normalization and GELU, in training and after", "[layers]") {
  for (const auto type : {torch::kFloat, torch::kBFloat16, torch::kHalf, torch::kDouble}) {
    for (const auto format : {torch::MemoryFormat::Contiguous, kChannelsLast}) {
      for (const auto& sizes : std::vector<std::vector<std::int64_t>>{
               {2, 1, 1, 1}, {3, 17, 5, 4}, {2, 64, 7, 7}, {600, 3, 2, 3}, {1, 16, 32, 32}}) {
        if (format == torch::MemoryFormat::Contiguous && bound_of(type) > 0x1p-12) {
          continue;  // LibTorch's own rounds twice; it is not ours to test
        }
        INFO(type << ' ' << format << ' ' << c10::IntArrayRef(sizes));
        torch::manual_seed(1);
        rt::BatchNormGELU norm(options_of(sizes[1]));
        Reference reference(sizes[1]);
        randomize(norm);
        if (type == torch::kDouble) {
          norm->to(type);
        }
        const double bound = bound_of(type);
        for (int step = 0; step < 2; ++step) {
          const auto numbers = torch::randn(sizes, torch::kDouble).mul_(3).add_(2).to(type);
          const auto x = numbers.clone(format).requires_grad_();
          const auto x64 = numbers.to(torch::kDouble).clone().requires_grad_();
          const auto dy = torch::randn(sizes, torch::kDouble).to(type);
          const auto y = norm(x);
          CHECK(y.scalar_type() == type);
          CHECK(y.is_contiguous(format));
          norm->zero_grad();
          y.backward(dy);
          reference.norm->zero_grad();
          const auto wanted = reference(x64);
          wanted.backward(dy.to(torch::kDouble));
          CHECK(near(y.detach(), wanted.detach(), bound));
          CHECK(x.grad().scalar_type() == type);
          // Two samples of a channel: their gradients are differences that all but vanish.
          CHECK(near(x.grad(), x64.grad(), sizes[0] == 2 && sizes[1] == 1 ? 1e-2 : bound));
          const double terms = std::sqrt(static_cast<double>(x.numel() / sizes[1]));
          CHECK(near(norm->weight.grad(), reference.norm->weight.grad(), bound * terms));
          CHECK(near(norm->bias.grad(), reference.norm->bias.grad(), bound * terms));
          CHECK(near(norm->running_mean, reference.norm->running_mean, bound));
          CHECK(near(norm->running_var, reference.norm->running_var, bound));
          CHECK(norm->num_batches_tracked.item<std::int64_t>() == step + 1);
        }
        norm->eval();
        reference.norm->eval();
        const auto x = torch::randn(sizes, torch::kDouble).to(type);
        const auto wanted = reference(x.to(torch::kDouble)).detach();
        // To be differentiated, it is LibTorch's, which rounds twice.
        CHECK(near(norm(x.contiguous(format)).detach(), wanted, 2 * bound));
        const torch::NoGradGuard no_grad;
        CHECK(near(norm(x.contiguous(format)), wanted, bound));
        CHECK(norm->num_batches_tracked.item<std::int64_t>() == 2);
      }
    }
  }
}

TEST_CASE("BatchNormGELU in evaluation has LibTorch's gradients", "[layers]") {
  torch::manual_seed(2);
  rt::BatchNormGELU norm(options_of(5));
  Reference reference(5);
  randomize(norm);
  norm->eval();
  reference.norm->eval();
  const auto x = torch::randn({2, 5, 3, 3}).contiguous(kChannelsLast).requires_grad_();
  const auto x64 = x.detach().to(torch::kDouble).requires_grad_();
  norm(x).square().sum().backward();
  reference(x64).square().sum().backward();
  CHECK(near(x.grad(), x64.grad(), 1e-5));
  CHECK(near(norm->weight.grad(), reference.norm->weight.grad(), 1e-4));
}

TEST_CASE("BatchNormGELU can be differentiated twice", "[layers]") {
  torch::manual_seed(3);
  rt::BatchNormGELU norm(options_of(3));
  Reference reference(3);
  randomize(norm);
  const auto x = torch::randn({4, 3, 2, 2}).contiguous(kChannelsLast).requires_grad_();
  const auto x64 = x.detach().to(torch::kDouble).requires_grad_();
  const auto second = [](const torch::Tensor& y, const std::vector<torch::Tensor>& inputs) {
    const auto first = torch::autograd::grad({y.square().sum()}, inputs, {}, true, true);
    torch::Tensor sum = first[0].square().sum();
    for (std::size_t i = 1; i < first.size(); ++i) {
      sum = sum + first[i].square().sum();
    }
    return torch::autograd::grad({sum}, inputs);
  };
  const auto got = second(norm(x), {x, norm->weight, norm->bias});
  const auto wanted = second(reference(x64), {x64, reference.norm->weight, reference.norm->bias});
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(near(got[i], wanted[i], 1e-3));
    CHECK(wanted[i].abs().max().item<double>() > 0.1);
  }
  // Of the input alone, with weights that want none.
  norm->weight.set_requires_grad(false);
  norm->bias.set_requires_grad(false);
  const auto y64 = reference(x64);
  CHECK(near(second(norm(x), {x})[0], second(y64, {x64})[0], 1e-3));
}

TEST_CASE(
    "BatchNormGELU, its output its next input, has the same gradients to be differentiated again",
    "[layers]") {
  torch::manual_seed(9);
  rt::BatchNormGELU norm(options_of(3));
  randomize(norm);
  const auto x = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast).requires_grad_();
  const auto gradients = [&](bool create_graph) {
    return torch::autograd::grad({norm(norm(x)).square().sum()}, {x, norm->weight, norm->bias}, {},
                                 true, create_graph);
  };
  const auto plain = gradients(false);
  const auto to_differentiate = gradients(true);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CHECK(to_differentiate[i].requires_grad());
    CHECK(near(to_differentiate[i].detach(), plain[i].to(torch::kDouble), 1e-3));
  }
}

TEST_CASE("BatchNormGELU computes what is wanted, and again from a kept graph", "[layers]") {
  torch::manual_seed(4);
  rt::BatchNormGELU norm(options_of(20));
  const auto images = torch::randn({8, 20, 4, 4}).contiguous(kChannelsLast);
  const auto x = images.clone().requires_grad_();
  const auto y = norm(x);
  y.sum().backward({}, /*retain_graph=*/true);
  const auto once = x.grad().clone();
  const auto weight_once = norm->weight.grad().clone();
  y.sum().backward();
  CHECK(x.grad().equal(2 * once));
  CHECK(norm->weight.grad().equal(2 * weight_once));

  norm->zero_grad();
  norm(images).sum().backward();  // whose input wants none
  CHECK(norm->weight.grad().equal(weight_once));

  norm->weight.set_requires_grad(false);
  norm->bias.set_requires_grad(false);
  const auto alone = images.clone().requires_grad_();
  norm(alone).sum().backward();
  CHECK(alone.grad().equal(once));
  CHECK(!norm(images).requires_grad());
}

TEST_CASE("BatchNormGELU takes a gradient that lies otherwise in memory, or is of one number",
          "[layers]") {
  torch::manual_seed(6);
  rt::BatchNormGELU norm(options_of(6));
  const auto images = torch::randn({3, 6, 4, 5}).contiguous(kChannelsLast);
  const auto dy = torch::randn({3, 6, 4, 5});
  const auto gradient = [&](const torch::Tensor& incoming) {
    const auto x = images.clone().requires_grad_();
    norm(x).backward(incoming);
    return x.grad();
  };
  CHECK(gradient(dy).equal(gradient(dy.contiguous(kChannelsLast))));
  CHECK(gradient(torch::ones({1}).expand({3, 6, 4, 5})).equal(gradient(torch::ones_like(dy))));
}

TEST_CASE("BatchNormGELU is the same for any number of threads", "[layers]") {
  torch::manual_seed(7);
  const auto images = torch::randn({40, 24, 9, 9}).contiguous(kChannelsLast);
  const auto made_by = [&](int threads) {
    const Threads these(threads);
    rt::BatchNormGELU norm(options_of(24));
    const auto x = images.clone().requires_grad_();
    const auto y = norm(x);
    y.square().sum().backward();
    return std::vector<torch::Tensor>{y.detach(), x.grad(), norm->weight.grad(), norm->running_var};
  };
  const auto one = made_by(1);
  const auto three = made_by(3);
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].equal(three[i]));
  }
}

TEST_CASE("BatchNormGELU leaves to LibTorch what its kernels do not do", "[layers]") {
  torch::manual_seed(8);
  const auto x = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast);
  for (const auto& options : {torch::nn::BatchNormOptions(3).affine(false),
                              torch::nn::BatchNormOptions(3).track_running_stats(false),
                              torch::nn::BatchNormOptions(3).momentum(std::nullopt)}) {
    rt::BatchNormGELU norm(options);
    torch::nn::BatchNorm2d reference(options);
    for (int step = 0; step < 2; ++step) {
      CHECK(norm(x).equal(torch::gelu(reference(x))));
    }
    if (options.track_running_stats()) {
      CHECK(norm->running_mean.equal(reference->running_mean));
    }
    norm->eval();
    reference->eval();
    CHECK(norm(x).equal(torch::gelu(reference(x))));
  }
  rt::BatchNormGELU norm(3);
  CHECK(norm(x.slice(0, 0, 0)).sizes() == c10::IntArrayRef({0, 3, 5, 5}));
  // LibTorch asks the options at each call.
  torch::nn::BatchNorm2d reference(3);
  norm->options.track_running_stats(false);
  reference->options.track_running_stats(false);
  CHECK(norm(x).equal(torch::gelu(reference(x))));
  CHECK(norm->running_mean.equal(reference->running_mean));
}

/// A level of forward differentiation, open as long as this lives.
class ForwardLevel {
 public:
  ForwardLevel() : index_(torch::autograd::ForwardADLevel::get_next_idx()) {}
  ~ForwardLevel() { torch::autograd::ForwardADLevel::release_idx(index_); }
  ForwardLevel(const ForwardLevel&) = delete;
  ForwardLevel& operator=(const ForwardLevel&) = delete;

  torch::Tensor with_tangent(const torch::Tensor& x, const torch::Tensor& tangent) const {
    return at::_make_dual(x, tangent, static_cast<std::int64_t>(index_));
  }
  torch::Tensor tangent_of(const torch::Tensor& y) const {
    return std::get<1>(at::_unpack_dual(y, static_cast<std::int64_t>(index_)));
  }

 private:
  std::uint64_t index_;
};

TEST_CASE("BatchNormGELU carries the tangents of its input and its weight", "[layers]") {
  torch::manual_seed(10);
  const auto images = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast);
  const auto along_images = torch::randn_like(images);
  const auto along_weight = torch::randn({3});
  for (const bool training : {true, false}) {
    for (const bool by_weight : {true, false}) {
      INFO("training " << training << ", by the weight " << by_weight);
      rt::BatchNormGELU norm(options_of(3));
      randomize(norm);
      norm->train(training);
      const torch::NoGradGuard no_grad;
      const ForwardLevel level;
      const auto weight = norm->weight;
      torch::Tensor tangent;
      if (by_weight) {
        norm->weight = level.with_tangent(weight.detach(), along_weight);
        tangent = level.tangent_of(norm(images));
        norm->weight = weight;
      } else {
        tangent = level.tangent_of(norm(level.with_tangent(images, along_images)));
      }
      REQUIRE(tangent.defined());
      constexpr double kStep = 1e-2;
      const auto moved = [&](double by) {
        norm->weight = by_weight ? weight + by * along_weight : weight;
        return norm(by_weight ? images : images + by * along_images).to(torch::kDouble);
      };
      CHECK(near(tangent, (moved(kStep) - moved(-kStep)) / (2 * kStep), 1e-2));
    }
  }
}

TEST_CASE("BatchNormGELU has BatchNorm2d's names, and can be cloned", "[layers]") {
  rt::BatchNormGELU norm(4);
  torch::nn::BatchNorm2d reference(4);
  CHECK(norm->named_parameters().keys() == reference->named_parameters().keys());
  CHECK(norm->named_buffers().keys() == reference->named_buffers().keys());
  randomize(norm);
  const auto x = torch::randn({2, 4, 3, 3}).contiguous(kChannelsLast);
  norm(x);
  const auto copy = std::dynamic_pointer_cast<rt::BatchNormGELUImpl>(norm->clone());
  REQUIRE(copy);
  norm->eval();
  copy->eval();
  CHECK(copy->forward(x).equal(norm(x)));
  CHECK(!copy->weight.is_alias_of(norm->weight));
}

TEST_CASE("BatchNormGELU says what it wants", "[layers]") {
  rt::BatchNormGELU norm(4);
  CHECK(contains(error_of([&] {
                   norm(torch::randn({2, 4}));
                 }),
                 "BatchNormGELU: wanted images [N,C,H,W], got Float [2, 4]"));
  CHECK(contains(error_of([&] { norm(torch::Tensor()); }),
                 "BatchNormGELU: wanted images [N,C,H,W], got"));
  CHECK(!error_of([&] { norm(torch::randn({2, 5, 3, 3}).contiguous(kChannelsLast)); }).empty());
  CHECK(contains(error_of([&] {
                   norm(torch::randn({1, 4, 1, 1}).contiguous(kChannelsLast));
                 }),
                 "more than 1 value per channel"));
}

}  // namespace layers_batch_norm_gelu_test
