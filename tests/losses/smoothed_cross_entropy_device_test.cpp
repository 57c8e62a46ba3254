// The loss by device kernels, which run on the emulator here and take CPU tensors for a device's.

#include "regtorch/losses/smoothed_cross_entropy_device.hpp"

#include "catch.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"
#include "simt/emulated_kernels.hpp"

namespace smoothed_cross_entropy_device_test {

namespace {

namespace rt = regtorch;

/// What smoothed_cross_entropy makes of its arguments for a device.
rt::detail::KernelLoss device_call(const torch::Tensor& logits, const torch::Tensor& targets,
                                   const rt::LabelSmoothingLossOptions& options) {
  rt::detail::KernelLoss loss;
  loss.what.logits = logits;
  loss.what.targets = targets;
  if (options.weight().defined()) {
    loss.what.weight = options.weight().to(torch::kFloat);
  }
  loss.what.dim = logits.dim() - 1;
  loss.what.floor = options.smoothing() / static_cast<double>(options.num_classes());
  loss.what.scale = 1 - options.smoothing();
  loss.what.ignore_index = options.ignore_index();
  loss.what.any_ignored = true;
  loss.what.type = torch::kFloat;
  loss.reduction = options.reduction();
  loss.returns = logits.scalar_type();
  return loss;
}

rt::LabelSmoothingLossOptions options_of(double smoothing, bool weighted) {
  auto options = rt::LabelSmoothingLossOptions(10).dim(-1).smoothing(smoothing).spread(
      rt::Spread::kAllClasses);
  return weighted ? options.weight(torch::linspace(0, 2, 10)) : options;
}

}  // namespace

TEST_CASE("the loss by device kernels is the CPU's, and so is its gradient", "[losses]") {
  const rt::testing::EmulatedKernels emulated;
  torch::manual_seed(5);
  const auto dtype = GENERATE(torch::kFloat, torch::kBFloat16, torch::kHalf);
  auto options = options_of(GENERATE(0.0, 0.2), GENERATE(false, true));
  const int reduction = GENERATE(0, 1, 2);
  if (reduction == 0) {
    options.reduction(torch::kNone);
  } else if (reduction == 1) {
    options.reduction(torch::kMean);
  } else {
    options.reduction(torch::kSum);
  }
  auto targets = torch::randint(10, {3, 13});
  targets.index_put_({1}, -100);
  const auto here = torch::randn({3, 13, 10}).to(dtype).requires_grad_();
  auto there = here.detach().clone().requires_grad_();
  const auto expected = rt::smoothed_cross_entropy(here, targets, options);
  const auto loss = rt::detail::device_loss(device_call(there, targets, options));
  CHECK(loss.scalar_type() == expected.scalar_type());
  CHECK(torch::allclose(loss, expected, dtype == torch::kFloat ? 1e-5 : 8e-3, 1e-6));

  const auto incoming = torch::rand_like(expected) + 0.5;
  expected.backward(incoming);
  loss.backward(incoming, /*retain_graph=*/true);
  const double tolerance = dtype == torch::kFloat ? 1e-5 : 8e-3;
  CHECK(torch::allclose(there.grad(), here.grad(), tolerance, 1e-6));
  // A second pass through the graph gives the same again.
  const auto first = there.grad().clone();
  there.mutable_grad().zero_();
  loss.backward(incoming);
  CHECK(torch::equal(there.grad(), first));
}

TEST_CASE("the loss by device kernels of logits in the midst of a tensor", "[losses]") {
  const rt::testing::EmulatedKernels emulated;
  torch::manual_seed(7);
  // 4 bytes behind a multiple of 16, where the gradient is.
  const auto logits = torch::randn(6 * 101 + 1).slice(0, 1).view({6, 101});
  const auto targets = torch::randint(101, {6});
  const auto options =
      rt::LabelSmoothingLossOptions(101).smoothing(0.2).spread(rt::Spread::kAllClasses);
  const auto here = logits.detach().clone().requires_grad_();
  const auto there = logits.detach().requires_grad_();
  rt::smoothed_cross_entropy(here, targets, options).backward();
  rt::detail::device_loss(device_call(there, targets, options)).backward();
  CHECK(torch::allclose(there.grad(), here.grad(), 1e-5, 1e-7));
}

TEST_CASE("the loss by device kernels is differentiated twice", "[losses]") {
  const rt::testing::EmulatedKernels emulated;
  torch::manual_seed(6);
  const auto targets = torch::randint(10, {7});
  const auto options = options_of(0.2, true);
  const auto logits = torch::randn({7, 10}).requires_grad_();
  const auto second = [&](const torch::Tensor& loss) {
    const auto gradient = torch::autograd::grad({loss}, {logits}, {}, /*retain_graph=*/true,
                                                /*create_graph=*/true)[0];
    return torch::autograd::grad({gradient.square().sum()}, {logits})[0];
  };
  const auto expected = second(rt::smoothed_cross_entropy(logits, targets, options));
  const auto got = second(rt::detail::device_loss(device_call(logits, targets, options)));
  CHECK(torch::allclose(got, expected, 1e-4, 1e-6));
}

TEST_CASE("the loss by device kernels of nothing, and of ignored labels alone", "[losses]") {
  const rt::testing::EmulatedKernels emulated;
  const auto options = options_of(0.2, false);
  const auto mean_of = [&](const torch::Tensor& targets) {
    const auto logits = torch::randn({targets.numel(), 10}).requires_grad_();
    return rt::detail::device_loss(device_call(logits, targets, options));
  };
  CHECK(mean_of(torch::empty({0}, torch::kLong)).isnan().item<bool>());
  CHECK(mean_of(torch::full({3}, -100, torch::kLong)).isnan().item<bool>());
}

}  // namespace smoothed_cross_entropy_device_test
