// Penalties, clip_grad_norm_ and max_norm_ by device kernels, which run on the emulator here.

#include "regtorch/weights/device_norms.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "device_tensor.hpp"
#include "regtorch/weights/clip_grad.hpp"
#include "regtorch/weights/max_norm.hpp"
#include "regtorch/weights/penalties.hpp"
#include "simt/emulated_kernels.hpp"

namespace device_norms_test {

namespace {

using rt::kernels::PenaltyRule;
using rt::testing::EmulatedKernels;

/// The third is not contiguous, the last neither aligned nor the whole of its memory.
std::vector<torch::Tensor> some_tensors() {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3});
  return {torch::randn({33}, generator), torch::randn({0, 4}, generator),
          torch::randn({4, 3, 3, 3}, generator).contiguous(torch::MemoryFormat::ChannelsLast),
          torch::randn({10, 1000}, generator),
          torch::randn({17 * 31 + 3}, generator).slice(0, 1, 17 * 31 + 1).view({17, 31})};
}

/// Of two or more dimensions.
std::vector<torch::Tensor> some_weights() {
  auto weights = some_tensors();
  weights.erase(weights.begin());
  return weights;
}

}  // namespace

TEST_CASE("penalties by device kernels: the value and the gradient are the CPU's", "[weights]") {
  const EmulatedKernels emulated;
  auto weights = some_tensors();
  std::vector<torch::Tensor> gradients;
  for (auto& w : weights) {
    gradients.push_back(torch::empty_like(w));
    w.requires_grad_();
  }
  const bool has_l1 = GENERATE(true, false);
  const bool has_l2 = GENERATE(true, false);
  if (!has_l1 && !has_l2) {
    return;
  }
  const PenaltyRule rule{.l1 = 0.5, .l2 = 0.25, .has_l1 = has_l1, .has_l2 = has_l2};
  const auto expected = has_l1 && has_l2 ? rt::elastic_net_penalty(weights, rule.l1, rule.l2)
                        : has_l1         ? rt::l1_penalty(weights, rule.l1)
                                         : rt::l2_penalty(weights, rule.l2);
  const auto value = rt::detail::penalty_on_device(weights, rule);
  CHECK(value.dim() == 0);
  CHECK(value.scalar_type() == torch::kFloat);
  CHECK(value.item<double>() == Approx(expected.item<double>()).epsilon(1e-7));

  const auto incoming = torch::full({1}, 3.0);
  expected.backward(incoming[0]);
  rt::detail::penalty_gradient_on_device(weights, gradients, rule, incoming.expand({1})[0]);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(gradients[i].allclose(weights[i].grad(), 1e-6, 1e-6));
  }
}

TEST_CASE("clip_grad_norm_ by device kernels: the norm and the gradients are the CPU's",
          "[weights]") {
  const EmulatedKernels emulated;
  const auto gradients = some_tensors();
  const auto weights = some_tensors();
  for (const auto& w : weights) {
    w.mutable_grad() = w.clone();
  }
  const auto version = gradients[0]._version();
  for (const double limit : {2.0, 1.5, 1.7}) {  // the last is not reached
    const auto norm = rt::detail::clip_norm_on_device(gradients, limit);
    const auto expected = rt::clip_grad_norm_(weights, limit);
    CHECK(norm.dim() == 0);
    CHECK(norm.item<double>() == Approx(expected.item<double>()).epsilon(2e-7));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      CHECK(gradients[i].allclose(weights[i].grad(), 1e-6, 0));
    }
  }
  CHECK(gradients[0]._version() > version);
}

TEST_CASE("max_norm_ scales a device's filters as the CPU's", "[weights]") {
  const EmulatedKernels emulated;
  const auto memory = some_weights();
  std::vector<torch::Tensor> on_device;
  for (const auto& w : memory) {
    on_device.push_back(rt::testing::on_device(w));
  }
  const auto expected = some_weights();
  const double limit = GENERATE(0.5, 5.0, 30.0);
  rt::max_norm_(expected, limit);
  rt::max_norm_(on_device, limit);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    CHECK(memory[i].allclose(expected[i], 1e-6, 0));
    CHECK(on_device[i]._version() == 1);
  }
}

TEST_CASE("which tensors one call of a device kernel takes", "[weights]") {
  using rt::detail::are_dense_on_device_and_apart;
  using rt::testing::on_device;
  const auto x = torch::zeros({4, 6});
  const auto y = torch::zeros({3});
  CHECK(are_dense_on_device_and_apart({on_device(x), on_device(y)}));
  CHECK(are_dense_on_device_and_apart({on_device(x.t())}));
  CHECK_FALSE(are_dense_on_device_and_apart({on_device(x), y}));
  CHECK_FALSE(are_dense_on_device_and_apart({y, on_device(x)}));
  CHECK_FALSE(are_dense_on_device_and_apart({on_device(x), on_device(y, 1)}));
  CHECK_FALSE(are_dense_on_device_and_apart({on_device(x), on_device(x)}));
  CHECK_FALSE(are_dense_on_device_and_apart({on_device(x.slice(1, 0, 6, 2))}));
  CHECK_FALSE(are_dense_on_device_and_apart({on_device(x.to(torch::kDouble))}));
  CHECK_FALSE(rt::detail::are_dense_and_apart({on_device(x)}));
}

}  // namespace device_norms_test
