// adam_step, sgd_step: one step of an optimizer on ResNet-18's parameters (11.2 million, 62
// tensors), gradients given. sgd_step is with Nesterov momentum of 0.9.
//
// Limit: Adam reads 16 bytes a parameter and writes 12, SGD 12 and 8; copy moves as many.

#include "regtorch/weights/fused_optimizer.hpp"

#include <vector>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "regtorch/weights/fused_adam.hpp"
#include "regtorch/weights/fused_sgd.hpp"
#include "weights.hpp"

namespace {

namespace rt = regtorch;

template <class Optimizer, class Options>
void step(benchmark::State& state, const Options& options) {
  Optimizer optimizer(rt::bench::parameters(), options);
  optimizer.step();  // makes the state
  for (auto _ : state) {
    optimizer.step();
  }
}

void at_fused_adam(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const auto all = rt::bench::parameters();
  std::vector<torch::Tensor> gradients, means, squares, steps;
  for (const auto& parameter : all) {
    gradients.push_back(parameter.grad());
    means.push_back(torch::zeros_like(parameter));
    squares.push_back(torch::zeros_like(parameter));
    steps.push_back(torch::ones({}));
  }
  for (auto _ : state) {
    at::_fused_adam_(all, gradients, means, squares, {}, steps, 1e-3, 0.9, 0.999, 0, 1e-8, false,
                     false);
  }
}

void at_fused_sgd(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const auto all = rt::bench::parameters();
  std::vector<torch::Tensor> gradients, momenta;
  for (const auto& parameter : all) {
    gradients.push_back(parameter.grad());
    momenta.push_back(torch::zeros_like(parameter));
  }
  for (auto _ : state) {
    at::_fused_sgd_(all, gradients, momenta, 0, 0.9, 0.1, 0, true, false, false);
  }
}

const torch::optim::AdamOptions kAdam(1e-3);
const auto kSgd = torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(true);

void adam_regtorch(benchmark::State& state) { step<rt::FusedAdam>(state, kAdam); }
void adam_aten(benchmark::State& state) { step<torch::optim::Adam>(state, kAdam); }
void adam_copy(benchmark::State& state) { rt::bench::copy(state, 28); }
void sgd_regtorch(benchmark::State& state) { step<rt::FusedSGD>(state, kSgd); }
void sgd_aten(benchmark::State& state) { step<torch::optim::SGD>(state, kSgd); }
void sgd_copy(benchmark::State& state) { rt::bench::copy(state, 20); }

#define REGTORCH_STEP_BENCHMARK(function, name) \
  BENCHMARK(function)->Name(name "/resnet18/float32")->UseRealTime()->Unit(benchmark::kMillisecond)
REGTORCH_STEP_BENCHMARK(adam_regtorch, "adam_step/regtorch");
REGTORCH_STEP_BENCHMARK(adam_aten, "adam_step/aten");
REGTORCH_STEP_BENCHMARK(at_fused_adam, "adam_step/fused");
REGTORCH_STEP_BENCHMARK(adam_copy, "adam_step/copy");
REGTORCH_STEP_BENCHMARK(sgd_regtorch, "sgd_step/regtorch");
REGTORCH_STEP_BENCHMARK(sgd_aten, "sgd_step/aten");
REGTORCH_STEP_BENCHMARK(at_fused_sgd, "sgd_step/fused");
REGTORCH_STEP_BENCHMARK(sgd_copy, "sgd_step/copy");

}  // namespace
