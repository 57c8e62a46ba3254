#include "regtorch/layers/batch_norm_relu.hpp"

#include <limits>
#include <vector>

#include "batch_norm.hpp"
#include "catch.hpp"

namespace layers_batch_norm_relu_test {

using namespace regtorch::testing;
using Norm = torch::nn::BatchNorm2d;
using Tensors = std::vector<torch::Tensor>;

namespace {

torch::Tensor layer(Norm& norm, const torch::Tensor& x, const torch::Tensor& shortcut = {}) {
  return rt::batch_norm_relu(*norm, x, shortcut);
}
/// With the input as its shortcut too.
torch::Tensor layer_with_shortcut(Norm& norm, const torch::Tensor& x) { return layer(norm, x, x); }

torch::Tensor of_libtorch(Norm& norm, const torch::Tensor& x, const torch::Tensor& shortcut = {}) {
  return torch::relu(shortcut.defined() ? norm(x) + shortcut : norm(x));
}
torch::Tensor of_libtorch_with_shortcut(Norm& norm, const torch::Tensor& x) {
  return of_libtorch(norm, x, x);
}

bool is_fused(const torch::Tensor& y) {
  return y.grad_fn() != nullptr && contains(y.grad_fn()->name(), "BatchNormFunction");
}

/// Numbers that a type has, lying in memory by a format.
torch::Tensor numbers(c10::IntArrayRef sizes, torch::ScalarType type, torch::MemoryFormat format) {
  return torch::randn(sizes, torch::kDouble).mul_(3).add_(2).to(type).contiguous(format);
}

torch::Tensor in_float64(const torch::Tensor& x) {
  return x.defined() ? x.detach().to(torch::kDouble).requires_grad_() : x;
}

/// Two steps in training and one in evaluation, against float64.
void check_steps(c10::IntArrayRef sizes, torch::ScalarType type, torch::MemoryFormat format,
                 bool with_shortcut) {
  torch::manual_seed(1);
  auto norm = random_norm<Norm>(sizes[1]);
  auto reference = reference_norm(sizes[1]);
  if (type == torch::kDouble) {
    norm->to(type);
  }
  const double rounding = rounding_of(type);
  constexpr double kArithmetic = 2e-5;  // of float32
  // Two samples of a channel: their gradients are differences that all but vanish.
  const double of_input = sizes[0] * sizes[2] * sizes[3] == 2 ? 1e-2 : kArithmetic;
  const double terms = std::sqrt(static_cast<double>(sizes[0] * sizes[2] * sizes[3]));
  const auto shortcut_like = [&](const torch::Tensor& x) {
    return with_shortcut ? numbers(x.sizes(), type, format).sub_(2) : torch::Tensor();
  };
  for (int step = 0; step < 2; ++step) {
    auto x = numbers(sizes, type, format);
    auto shortcut = shortcut_like(x);
    const auto x64 = in_float64(x);
    const auto shortcut64 = in_float64(shortcut);
    const auto dy = torch::randn(sizes, torch::kDouble).to(type);
    x.requires_grad_();
    if (with_shortcut) {
      shortcut.requires_grad_();
    }
    const auto y = layer(norm, x, shortcut);
    CHECK(is_fused(y) == (type != torch::kDouble && x.is_contiguous(kChannelsLast)));
    CHECK(y.scalar_type() == type);
    CHECK(y.is_contiguous(format));
    norm->zero_grad();
    y.backward(dy);
    reference->zero_grad();
    const auto wanted = of_libtorch(reference, x64, shortcut64);
    wanted.backward(dy.to(torch::kDouble));
    CHECK(near(y, wanted, rounding + 1e-6, kArithmetic));
    CHECK(x.grad().scalar_type() == type);
    CHECK(near(x.grad(), x64.grad(), rounding + 1e-5, of_input));
    if (with_shortcut) {
      CHECK(shortcut.grad().equal(shortcut64.grad().to(type)));
    }
    const double bound = (rounding + kArithmetic) * terms;
    CHECK(near(norm->weight.grad(), reference->weight.grad(), bound));
    CHECK(near(norm->bias.grad(), reference->bias.grad(), bound));
    CHECK(near(norm->running_mean, reference->running_mean, kArithmetic));
    CHECK(near(norm->running_var, reference->running_var, kArithmetic));
    CHECK(norm->num_batches_tracked.item<std::int64_t>() == step + 1);
  }
  norm->eval();
  reference->eval();
  const auto x = numbers(sizes, type, format);
  const auto shortcut = shortcut_like(x);
  const auto wanted = of_libtorch(reference, in_float64(x), in_float64(shortcut));
  // To be differentiated, it is LibTorch's.
  const auto y = layer(norm, x, shortcut);
  CHECK(y.requires_grad());
  CHECK_FALSE(is_fused(y));
  CHECK(near(y, wanted, 3 * rounding, 30 * rounding + kArithmetic));
  const torch::NoGradGuard no_grad;
  CHECK(near(layer(norm, x, shortcut), wanted, rounding + 1e-6, kArithmetic));
  CHECK(norm->num_batches_tracked.item<std::int64_t>() == 2);
}

}  // namespace

TEST_CASE("batch_norm_relu is batch normalization and ReLU, in training and after", "[layers]") {
  for (const auto type : {torch::kFloat, torch::kBFloat16, torch::kHalf, torch::kDouble}) {
    for (const auto format : {torch::MemoryFormat::Contiguous, kChannelsLast}) {
      if (format == torch::MemoryFormat::Contiguous && rounding_of(type) > 0) {
        continue;  // LibTorch's own, which rounds more often
      }
      for (const bool with_shortcut : {false, true}) {
        // Channels around the width of the kernels, and rows around a piece of work.
        for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{2, 1, 1, 2},
                                                                        {3, 17, 5, 4},
                                                                        {3, 31, 3, 2},
                                                                        {2, 32, 16, 16},
                                                                        {3, 33, 19, 9},
                                                                        {2, 64, 7, 7},
                                                                        {600, 3, 2, 3},
                                                                        {4, 64, 33, 32}}) {
          INFO(type << ' ' << format << ' ' << c10::IntArrayRef(sizes) << " with a shortcut "
                    << with_shortcut);
          check_steps(sizes, type, format, with_shortcut);
        }
      }
    }
  }
}

TEST_CASE(
    "batch_norm_relu rounds once, as LibTorch without a shortcut, which with one rounds twice",
    "[layers]") {
  torch::manual_seed(2);
  const auto x = numbers({4, 48, 9, 9}, torch::kBFloat16, kChannelsLast);
  const auto shortcut = numbers({4, 48, 9, 9}, torch::kBFloat16, kChannelsLast);
  const auto rounded_once = [&](const auto& function, const torch::Tensor& added) {
    auto norm = random_norm<Norm>(48);
    auto reference = reference_norm(48);
    const auto y = function(norm, x, added);
    return near(y, of_libtorch(reference, in_float64(x), in_float64(added)), 0x1p-8, 2e-5);
  };
  CHECK(rounded_once(layer, {}));
  CHECK(rounded_once(layer, shortcut));
  CHECK(rounded_once(of_libtorch, {}));
  CHECK_FALSE(rounded_once(of_libtorch, shortcut));
}

TEST_CASE("batch_norm_relu leaves images that lie otherwise to LibTorch", "[layers]") {
  torch::manual_seed(3);
  auto norm = random_norm<Norm>(32);
  const auto whole = torch::randn({3, 32, 6, 7}).contiguous(kChannelsLast);
  const auto strided = whole.slice(3, 0, 6);
  const auto x = strided.contiguous(kChannelsLast);
  const auto check = [&](const torch::Tensor& images, const torch::Tensor& shortcut) {
    auto fresh = random_norm<Norm>(32);
    const auto y = layer(norm, images, shortcut);
    CHECK_FALSE(is_fused(y));
    CHECK(near(y, of_libtorch(fresh, images, shortcut), 1e-5));
  };
  check(strided, {});
  check(strided, strided);
  check(x, strided);
  check(x, x.contiguous());
  check(x, x.to(torch::kDouble));
  check(x, torch::randn({1, 32, 1, 1}));  // added to each image
  CHECK(is_fused(layer(norm, x, x.clone())));
}

TEST_CASE("batch_norm_relu lets nan through and keeps infinities, as LibTorch", "[layers]") {
  torch::manual_seed(4);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  auto norm = random_norm<Norm>(40);
  const auto x = torch::randn({2, 40, 3, 3}).contiguous(kChannelsLast);
  const auto spoiled = [&](double by) {
    auto images = x.clone();
    images.select(1, 7).fill_(by);
    images[1][39][2][2] = by;
    return images;
  };
  const auto same = [](const torch::Tensor& got, const torch::Tensor& wanted) {
    return got.allclose(wanted, 1e-5, 1e-5, /*equal_nan=*/true);
  };
  for (const double by : {kNan, kInfinity, -kInfinity}) {
    INFO(by);
    norm->eval();
    const torch::NoGradGuard no_grad;
    CHECK(same(layer(norm, spoiled(by)), of_libtorch(norm, spoiled(by))));
    CHECK(same(layer(norm, x, spoiled(by)), of_libtorch(norm, x, spoiled(by))));
  }
  for (const bool of_shortcut : {false, true}) {
    const auto gradients = [&](const auto& function) {
      auto fresh = random_norm<Norm>(40);
      const auto images = (of_shortcut ? x : spoiled(kNan)).clone().requires_grad_();
      const auto shortcut = (of_shortcut ? spoiled(kNan) : x).clone().requires_grad_();
      const auto y = function(fresh, images, shortcut);
      auto made = torch::autograd::grad({y}, {images, shortcut, fresh->weight, fresh->bias},
                                        {torch::ones_like(y)});
      made.push_back(y);
      return made;
    };
    const auto got = gradients([](auto&... of) { return layer(of...); });
    const auto wanted = gradients([](auto&... of) { return of_libtorch(of...); });
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK(same(got[i], wanted[i]));
    }
    CHECK(wanted.back().isnan().any().item<bool>());
  }
}

TEST_CASE("batch_norm_relu in evaluation has LibTorch's gradients", "[layers]") {
  torch::manual_seed(5);
  auto norm = random_norm<Norm>(5);
  norm->eval();
  const auto x = torch::randn({2, 5, 3, 3}).contiguous(kChannelsLast).requires_grad_();
  const auto shortcut = torch::randn_like(x).requires_grad_();
  const auto gradients = [&](const torch::Tensor& y) {
    return torch::autograd::grad({y.square().sum()}, {x, shortcut, norm->weight, norm->bias});
  };
  const auto got = gradients(layer(norm, x, shortcut));
  const auto wanted = gradients(of_libtorch(norm, x, shortcut));
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i].equal(wanted[i]));
  }
  // Whichever of them wants a gradient gets it.
  norm->weight.set_requires_grad(false);
  norm->bias.set_requires_grad(false);
  CHECK(layer(norm, x.detach(), shortcut).requires_grad());
  CHECK(layer(norm, x, shortcut.detach()).requires_grad());
  CHECK_FALSE(layer(norm, x.detach(), shortcut.detach()).requires_grad());
}

TEST_CASE("batch_norm_relu can be differentiated twice", "[layers]") {
  for (const auto type : {torch::kFloat, torch::kBFloat16}) {
    for (const bool with_shortcut : {false, true}) {
      INFO(type << " with a shortcut " << with_shortcut);
      torch::manual_seed(6);
      auto norm = random_norm<Norm>(3);
      auto reference = reference_norm(3);
      const auto x = torch::randn({4, 3, 3, 3}).to(type).contiguous(kChannelsLast).requires_grad_();
      const auto shortcut =
          with_shortcut ? torch::randn_like(x.detach()).requires_grad_() : torch::Tensor();
      const auto x64 = in_float64(x);
      const auto shortcut64 = in_float64(shortcut);
      Tensors inputs{x, norm->weight, norm->bias};
      Tensors inputs64{x64, reference->weight, reference->bias};
      if (with_shortcut) {
        inputs.push_back(shortcut);
        inputs64.push_back(shortcut64);
      }
      const auto y = layer(norm, x, shortcut);
      CHECK(is_fused(y));
      const auto [got, got_second] = two_gradients(y, inputs);
      const auto [wanted, wanted_second] =
          two_gradients(of_libtorch(reference, x64, shortcut64), inputs64);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        INFO(i);
        const auto scale = [](const torch::Tensor& of) { return of.abs().max().item<double>(); };
        // In bfloat16 some ten roundings of LibTorch's, of terms of the largest's size.
        const double bound = type == torch::kFloat ? 1e-4 : 0.03;
        CHECK(near(got[i], wanted[i], bound, bound * scale(wanted[i])));
        CHECK(
            near(got_second[i], wanted_second[i], 3 * bound, 3 * bound * scale(wanted_second[i])));
        CHECK(scale(wanted_second[i]) > 0.1);
      }
    }
  }
}

TEST_CASE("batch_norm_relu, its output its next input, has right gradients", "[layers]") {
  check_layer_used_twice<Norm>([](Norm& norm, const auto& x) { return layer(norm, x); });
  check_layer_used_twice<Norm>(layer_with_shortcut);
}

TEST_CASE("batch_norm_relu computes what is wanted, and again from a kept graph", "[layers]") {
  torch::manual_seed(7);
  const auto images = torch::randn({8, 20, 4, 4}).contiguous(kChannelsLast);
  const auto added = torch::randn_like(images);
  for (const bool create_graph : {false, true}) {
    auto norm = random_norm<Norm>(20);
    Tensors all{images.clone().requires_grad_(), added.clone().requires_grad_(), norm->weight,
                norm->bias};
    const auto y = layer(norm, all[0], all[1]);
    const auto gradients = [&](const torch::Tensor& of, const Tensors& inputs) {
      return torch::autograd::grad({of}, inputs, {torch::ones_like(of)}, true, create_graph);
    };
    const auto wanted = gradients(y, all);
    const auto again = gradients(y, all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      INFO(i);
      CHECK(again[i].equal(wanted[i]));
      CHECK(gradients(y, {all[i]})[0].equal(wanted[i]));
      // All others want none.
      for (std::size_t k = 0; k < all.size(); ++k) {
        all[k].set_requires_grad(k == i);
      }
      CHECK(gradients(layer(norm, all[0], all[1]), {all[i]})[0].equal(wanted[i]));
      for (auto& input : all) {
        input.set_requires_grad(true);
      }
    }
    norm->weight.set_requires_grad(false);
    norm->bias.set_requires_grad(false);
    CHECK_FALSE(layer(norm, images, added).requires_grad());
  }
}

TEST_CASE("batch_norm_relu with a shortcut knows of an output that was changed", "[layers]") {
  torch::manual_seed(8);
  Norm norm(6);
  const auto x = torch::randn({3, 6, 4, 5}).contiguous(kChannelsLast).requires_grad_();
  auto y = layer(norm, x, x);
  y.detach().zero_();
  CHECK(contains(error_of([&] { y.sum().backward(); }), "modified by an inplace operation"));
  // Without one only x is kept.
  auto without = layer(norm, x);
  const auto wanted = torch::autograd::grad({without}, {x}, {torch::ones_like(x)}, true)[0];
  without.detach().zero_();
  CHECK(torch::autograd::grad({without}, {x}, {torch::ones_like(x)})[0].equal(wanted));
}

/// Passes no gradient on.
struct Forgetful : torch::autograd::Function<Forgetful> {
  static torch::Tensor forward(torch::autograd::AutogradContext*, const torch::Tensor& x) {
    return x.clone();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list&) {
    return {torch::Tensor()};
  }
};

TEST_CASE("batch_norm_relu passes no gradient on where it gets none", "[layers]") {
  torch::nn::BatchNorm2d norm(3);
  const auto x = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast).requires_grad_();
  const auto y = rt::batch_norm_relu(*norm, x);
  (Forgetful::apply(y) + x).sum().backward();
  CHECK(x.grad().equal(torch::ones_like(x)));
  CHECK(!norm->weight.grad().defined());
}

TEST_CASE("batch_norm_relu takes gradients as they lie, any number of threads, and tangents",
          "[layers]") {
  const auto without = [](Norm& norm, const auto& x) { return layer(norm, x); };
  check_incoming_gradients<Norm>(without);
  check_incoming_gradients<Norm>(layer_with_shortcut);
  check_threads<Norm>(without);
  check_threads<Norm>(layer_with_shortcut);
  check_tangents<Norm>(without);
  check_tangents<Norm>(layer_with_shortcut);
  const auto images = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast);
  const torch::NoGradGuard no_grad;
  const ForwardLevel level;
  Norm norm(3);
  const auto along = torch::ones_like(images);
  const auto y = layer(norm, images, level.with_tangent(images, along));
  CHECK(level.tangent_of(y).equal((y > 0).to(torch::kFloat)));
}

TEST_CASE("batch_norm_relu leaves to LibTorch what its kernels do not do", "[layers]") {
  check_fallback<Norm>([](Norm& norm, const auto& x) { return layer(norm, x); },
                       [](Norm& norm, const auto& x) { return of_libtorch(norm, x); });
  check_fallback<Norm>(layer_with_shortcut, of_libtorch_with_shortcut);
}

TEST_CASE("batch_norm_relu throws what LibTorch does", "[layers]") {
  Norm norm(4);
  const auto x = torch::randn({2, 4, 3, 3}).contiguous(kChannelsLast);
  CHECK(contains(error_of([&] { layer(norm, torch::randn({2, 4})); }), "expected 4D input"));
  CHECK_FALSE(error_of([&] { layer(norm, torch::Tensor()); }).empty());
  CHECK_FALSE(error_of([&] { layer(norm, torch::randn({2, 5, 3, 3})); }).empty());
  CHECK_FALSE(error_of([&] { layer(norm, x, torch::randn({2, 4, 3, 4})); }).empty());
  CHECK(contains(error_of([&] {
                   layer(norm, torch::randn({1, 4, 1, 1}));
                 }),
                 "more than 1 value per channel"));
}

}  // namespace layers_batch_norm_relu_test
