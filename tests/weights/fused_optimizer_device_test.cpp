// The fused optimizers on a device's parameters: the kernels run on the emulator, and the memory is
// the CPU's. State that a first step would make is there from the beginning, as no LibTorch here
// makes tensors on such a device.

#include <cstdint>
#include <memory>
#include <vector>

#include "catch.hpp"
#include "device_tensor.hpp"
#include "regtorch/weights/decay_groups.hpp"
#include "regtorch/weights/fused_adam.hpp"
#include "regtorch/weights/fused_adamw.hpp"
#include "regtorch/weights/fused_sgd.hpp"
#include "simt/emulated_kernels.hpp"

namespace fused_optimizer_device_test {

using rt::testing::EmulatedKernels;
using rt::testing::on_device;
using torch::optim::AdamOptions;
using torch::optim::AdamWOptions;
using torch::optim::SGDOptions;

namespace {

/// The state that a parameter begins with: in `memory`, which grows by its tensors.
template <class State>
struct Adam {
  static std::unique_ptr<State> state(std::vector<torch::Tensor>& memory, const torch::Tensor& w,
                                      int device) {
    auto state = std::make_unique<State>();
    memory.push_back(torch::zeros_like(w));
    state->exp_avg(on_device(memory.back(), device));
    memory.push_back(torch::zeros_like(w));
    state->exp_avg_sq(on_device(memory.back(), device));
    return state;
  }
};
struct PlainAdam : Adam<torch::optim::AdamParamState> {
  using Ours = rt::FusedAdam;
  using Options = AdamOptions;
  static std::vector<Options> options() {
    return {Options(1e-2), Options(0.1).betas({0.5, 0.9}).eps(1e-3).weight_decay(0.1)};
  }
};
struct AdamW : Adam<torch::optim::AdamWParamState> {
  using Ours = rt::FusedAdamW;
  using Options = AdamWOptions;
  static std::vector<Options> options() {
    return {Options(1e-2).weight_decay(0), Options(0.1).betas({0.5, 0.9}).weight_decay(0.1)};
  }
};
struct Sgd {
  using Ours = rt::FusedSGD;
  using Options = SGDOptions;
  static std::vector<Options> options() {
    return {Options(0.1).weight_decay(0.01).momentum(0.9),
            Options(0.2).momentum(0.8).nesterov(true)};
  }
  static std::unique_ptr<torch::optim::SGDParamState> state(std::vector<torch::Tensor>& memory,
                                                            const torch::Tensor& w, int device) {
    auto state = std::make_unique<torch::optim::SGDParamState>();
    memory.push_back(torch::zeros_like(w));
    state->momentum_buffer(on_device(memory.back(), device));
    return state;
  }
};

/// Empty, small, channels_last, of more than a chunk, and not aligned.
std::vector<torch::Tensor> random_weights(std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return {torch::randn({33}, generator), torch::randn({0}, generator),
          torch::randn({4, 3, 3, 3}, generator).contiguous(torch::MemoryFormat::ChannelsLast),
          torch::randn({9001}, generator), torch::randn({7}, generator).slice(0, 1, 6)};
}

/// All on devices, but those on the CPU, of which the number is -1.
constexpr int kDeviceOf[] = {0, 0, -1, 1, 0};

}  // namespace

TEMPLATE_TEST_CASE("fused optimizers step parameters on devices and the CPU at once", "[weights]",
                   PlainAdam, AdamW, Sgd) {
  const EmulatedKernels emulated;
  const auto expected = random_weights(1);
  const auto memory = random_weights(1);
  std::vector<torch::Tensor> states;
  std::vector<torch::Tensor> ours;
  for (std::size_t i = 0; i < memory.size(); ++i) {
    ours.push_back(kDeviceOf[i] < 0 ? memory[i] : on_device(memory[i], kDeviceOf[i]));
  }
  const auto groups = [](const std::vector<torch::Tensor>& w) {
    const auto options = TestType::options();
    return std::vector<rt::ParameterGroup<typename TestType::Options>>{
        {{w[0], w[1], w[2]}, options[0]}, {{w[3], w[4]}, options[1]}};
  };
  auto fused = rt::with_parameter_groups<typename TestType::Ours>(groups(ours));
  auto on_cpu = rt::with_parameter_groups<typename TestType::Ours>(groups(expected));
  for (std::size_t i = 0; i < memory.size(); ++i) {
    if (kDeviceOf[i] >= 0) {
      fused.state()[ours[i].unsafeGetTensorImpl()] =
          TestType::state(states, memory[i], kDeviceOf[i]);
    }
  }
  for (std::uint64_t step = 1; step <= 4; ++step) {
    const auto gradients = random_weights(10 + step);
    for (std::size_t i = 0; i < memory.size(); ++i) {
      const bool none = i == 4 && step < 3;  // so that its bias correction is another
      expected[i].mutable_grad() = none ? torch::Tensor() : gradients[i];
      ours[i].mutable_grad() =
          none || kDeviceOf[i] < 0 ? expected[i].grad() : on_device(gradients[i], kDeviceOf[i]);
    }
    fused.step();
    on_cpu.step();
    for (std::size_t i = 0; i < memory.size(); ++i) {
      CAPTURE(step, i);
      CHECK(memory[i].allclose(expected[i], 1e-5, 2e-6));
    }
    CHECK(memory[4].equal(random_weights(1)[4]) == (step < 3));
  }
  CHECK(ours[0]._version() == 4);
  CHECK(fused.state().size() == memory.size());
}

TEST_CASE("FusedSGD without momentum steps a device's parameters without any state", "[weights]") {
  const EmulatedKernels emulated;
  const auto memory = torch::ones({40});
  const auto gradient = torch::full({40}, 2.0);
  const auto w = on_device(memory);
  w.mutable_grad() = on_device(gradient);
  rt::FusedSGD fused({w}, SGDOptions(0.25));
  fused.step();
  CHECK(memory.equal(torch::full({40}, 0.5)));
  CHECK(fused.state().empty());
}

}  // namespace fused_optimizer_device_test
