#include "regtorch/layers/batch_norm_gelu.hpp"

#include <memory>
#include <vector>

#include "batch_norm.hpp"
#include "catch.hpp"

namespace layers_batch_norm_gelu_test {

using namespace regtorch::testing;

namespace {

/// Half of the distance of numbers around 1, with what float32 arithmetic adds.
double bound_of(torch::ScalarType type) { return rounding_of(type) + 1e-5; }

torch::Tensor layer(rt::BatchNormGELU& norm, const torch::Tensor& x) { return norm(x); }
torch::Tensor of_libtorch(torch::nn::BatchNorm2d& norm, const torch::Tensor& x) {
  return torch::gelu(norm(x));
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
        auto norm = random_norm<rt::BatchNormGELU>(sizes[1]);
        auto reference = reference_norm(sizes[1]);
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
          reference->zero_grad();
          const auto wanted = of_libtorch(reference, x64);
          wanted.backward(dy.to(torch::kDouble));
          CHECK(near(y, wanted, bound));
          CHECK(x.grad().scalar_type() == type);
          // Two samples of a channel: their gradients are differences that all but vanish.
          CHECK(near(x.grad(), x64.grad(), sizes[0] == 2 && sizes[1] == 1 ? 1e-2 : bound));
          const double terms = std::sqrt(static_cast<double>(x.numel() / sizes[1]));
          CHECK(near(norm->weight.grad(), reference->weight.grad(), bound * terms));
          CHECK(near(norm->bias.grad(), reference->bias.grad(), bound * terms));
          CHECK(near(norm->running_mean, reference->running_mean, bound));
          CHECK(near(norm->running_var, reference->running_var, bound));
          CHECK(norm->num_batches_tracked.item<std::int64_t>() == step + 1);
        }
        norm->eval();
        reference->eval();
        const auto x = torch::randn(sizes, torch::kDouble).to(type);
        const auto wanted = of_libtorch(reference, x.to(torch::kDouble));
        // To be differentiated, it is LibTorch's, which rounds twice.
        CHECK(near(norm(x.contiguous(format)), wanted, 2 * bound));
        const torch::NoGradGuard no_grad;
        CHECK(near(norm(x.contiguous(format)), wanted, bound));
        CHECK(norm->num_batches_tracked.item<std::int64_t>() == 2);
      }
    }
  }
}

TEST_CASE("BatchNormGELU in evaluation has LibTorch's gradients", "[layers]") {
  torch::manual_seed(2);
  auto norm = random_norm<rt::BatchNormGELU>(5);
  auto reference = reference_norm(5);
  norm->eval();
  reference->eval();
  const auto x = torch::randn({2, 5, 3, 3}).contiguous(kChannelsLast).requires_grad_();
  const auto x64 = x.detach().to(torch::kDouble).requires_grad_();
  norm(x).square().sum().backward();
  of_libtorch(reference, x64).square().sum().backward();
  CHECK(near(x.grad(), x64.grad(), 1e-5));
  CHECK(near(norm->weight.grad(), reference->weight.grad(), 1e-4));
}

TEST_CASE("BatchNormGELU can be differentiated twice", "[layers]") {
  torch::manual_seed(3);
  auto norm = random_norm<rt::BatchNormGELU>(3);
  auto reference = reference_norm(3);
  const auto x = torch::randn({4, 3, 2, 2}).contiguous(kChannelsLast).requires_grad_();
  const auto x64 = x.detach().to(torch::kDouble).requires_grad_();
  const auto got = two_gradients(norm(x), {x, norm->weight, norm->bias}).second;
  const auto wanted =
      two_gradients(of_libtorch(reference, x64), {x64, reference->weight, reference->bias}).second;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(near(got[i], wanted[i], 1e-3));
    CHECK(wanted[i].abs().max().item<double>() > 0.1);
  }
  // Of the input alone, with weights that want none.
  norm->weight.set_requires_grad(false);
  norm->bias.set_requires_grad(false);
  const auto y64 = of_libtorch(reference, x64);
  CHECK(near(two_gradients(norm(x), {x}).second[0], two_gradients(y64, {x64}).second[0], 1e-3));
}

TEST_CASE("BatchNormGELU, its output its next input, has right gradients", "[layers]") {
  check_layer_used_twice<rt::BatchNormGELU>(layer);
}

TEST_CASE("BatchNormGELU computes what is wanted, and again from a kept graph", "[layers]") {
  torch::manual_seed(4);
  rt::BatchNormGELU norm(norm_options(20));
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

TEST_CASE("BatchNormGELU takes gradients as they lie, any number of threads, and tangents",
          "[layers]") {
  check_incoming_gradients<rt::BatchNormGELU>(layer);
  check_threads<rt::BatchNormGELU>(layer);
  check_tangents<rt::BatchNormGELU>(layer);
}

TEST_CASE("BatchNormGELU leaves to LibTorch what its kernels do not do", "[layers]") {
  check_fallback<rt::BatchNormGELU>(layer, of_libtorch);
}

TEST_CASE("BatchNormGELU has BatchNorm2d's names, and can be cloned", "[layers]") {
  rt::BatchNormGELU norm(4);
  torch::nn::BatchNorm2d reference(4);
  CHECK(norm->named_parameters().keys() == reference->named_parameters().keys());
  CHECK(norm->named_buffers().keys() == reference->named_buffers().keys());
  randomize_norm(norm);
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
