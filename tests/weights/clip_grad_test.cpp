#include "regtorch/weights/clip_grad.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"

namespace clip_grad_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::Threads;

namespace {

/// Parameters of several types, sizes and strides, one of them without a gradient.
std::vector<torch::Tensor> parameters_with_gradients(bool with_double) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{5});
  std::vector<torch::Tensor> parameters;
  for (const auto type :
       {torch::kFloat, torch::kBFloat16, with_double ? torch::kDouble : torch::kHalf}) {
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{}, {1}, {17}, {4, 3, 3, 3}, {0}}) {
      auto gradient = torch::randn(shape, generator);
      if (gradient.dim() == 4) {
        gradient = gradient.contiguous(torch::MemoryFormat::ChannelsLast);
      }
      parameters.push_back(torch::zeros(shape, type));
      parameters.back().mutable_grad() = gradient.to(type);
    }
  }
  parameters.push_back(torch::zeros({3}));
  return parameters;
}

double norm_of(const std::vector<torch::Tensor>& parameters) {
  double sum = 0;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) {
      sum += parameter.grad().to(torch::kDouble).square().sum().item<double>();
    }
  }
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("clip_grad_norm_ scales all gradients by one factor", "[weights]") {
  const bool with_double = GENERATE(false, true);
  const auto parameters = parameters_with_gradients(with_double);
  std::vector<torch::Tensor> before;
  for (const auto& parameter : parameters) {
    before.push_back(parameter.grad().defined() ? parameter.grad().to(torch::kDouble, false, true)
                                                : torch::Tensor());
  }
  const double norm = norm_of(parameters);
  CHECK(rt::clip_grad_norm_(parameters, 1).item<double>() == Approx(norm).epsilon(1e-5));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (before[i].defined()) {
      // bfloat16 rounds to 1 part in 256.
      CHECK(
          parameters[i].grad().to(torch::kDouble).allclose(before[i] / (norm + 1e-6), 4e-3, 1e-6));
    }
  }
  // A second time nothing is above the norm any more, and nothing changes by more than rounding.
  const double clipped = norm_of(parameters);
  CHECK(clipped == Approx(1).epsilon(2e-3));
  rt::clip_grad_norm_(parameters, 2);
  CHECK(norm_of(parameters) == clipped);
}

TEST_CASE("clip_grad_norm_ of dense gradients of one type", "[weights]") {
  const auto type = GENERATE(torch::kFloat, torch::kDouble);
  const auto make = [&] {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{7});
    std::vector<torch::Tensor> parameters;
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{}, {1}, {15}, {16}, {17}, {4, 3, 3, 3}, {0}, {50'001}}) {
      auto gradient = torch::randn(shape, generator).to(type);
      if (gradient.dim() == 4) {
        gradient = gradient.contiguous(torch::MemoryFormat::ChannelsLast);
      }
      parameters.push_back(torch::zeros(shape, type));
      parameters.back().mutable_grad() = gradient;
    }
    parameters.push_back(torch::zeros({3}, type));
    return parameters;
  };
  const auto before = make();
  const double norm = norm_of(before);
  const double bound = type == torch::kDouble ? 1e-13 : 1e-6;
  const auto clipped = [&](int threads, double limit) {
    const Threads scope(threads);
    auto parameters = make();
    const auto total = rt::clip_grad_norm_(parameters, limit);
    CHECK(total.scalar_type() == type);
    CHECK(total.dim() == 0);
    CHECK(total.item<double>() == Approx(norm).epsilon(bound));
    return parameters;
  };
  const auto one = clipped(1, 3);
  const auto within = clipped(2, norm * 1.01);
  for (std::size_t i = 0; i + 1 < one.size(); ++i) {
    CHECK(one[i].grad().allclose(before[i].grad() * (3 / (norm + 1e-6)), bound, 0));
    CHECK(within[i].grad().equal(before[i].grad()));
  }
  for (const int threads : {2, 3, 7}) {
    const auto many = clipped(threads, 3);
    for (std::size_t i = 0; i + 1 < one.size(); ++i) {
      CHECK(many[i].grad().equal(one[i].grad()));
    }
  }
}

TEST_CASE("clip_grad_norm_ scales a shared gradient as often as it is listed", "[weights]") {
  const auto a = torch::zeros({40});
  a.mutable_grad() = torch::ones({40});
  CHECK(rt::clip_grad_norm_({a, a}, 1).item<double>() == Approx(std::sqrt(80)));
  CHECK(a.grad().allclose(torch::full({40}, 1.0 / 80), 1e-5, 0));
}

TEST_CASE("clip_grad_norm_ refuses gradients that are not finite and leaves them", "[weights]") {
  auto parameter = torch::zeros({2});
  parameter.mutable_grad() = torch::tensor({1.0F, INFINITY});
  CHECK(contains(error_of([&] { rt::clip_grad_norm_({parameter}, 1); }),
                 "wanted finite gradients, got some of norm inf"));
  CHECK(parameter.grad()[0].item<float>() == 1);
  CHECK(contains(error_of([&] { rt::clip_grad_norm_({parameter}, 0); }), "above 0, got 0"));
  CHECK(contains(error_of([&] { rt::clip_grad_value_({parameter}, NAN); }), "above 0, got nan"));
  CHECK(rt::clip_grad_norm_({torch::zeros({2})}, 1).item<double>() == 0);
  rt::clip_grad_value_({torch::zeros({2})}, 1);
}

TEST_CASE("clip_grad_value_ clamps each element", "[weights]") {
  const auto parameters = parameters_with_gradients(true);
  std::vector<torch::Tensor> wanted;
  for (const auto& parameter : parameters) {
    wanted.push_back(parameter.grad().defined() ? parameter.grad().clamp(-0.5, 0.5)
                                                : torch::Tensor());
  }
  rt::clip_grad_value_(parameters, 0.5);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (wanted[i].defined()) {
      CHECK(parameters[i].grad().equal(wanted[i]));
    }
  }
}

}  // namespace clip_grad_test
