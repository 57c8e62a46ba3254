#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>
#include <ATen/ops/full_like.h>
#include <torch/optim/sgd.h>

#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/sgd_step.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/weights/fused_optimizer.hpp"

namespace regtorch {

namespace detail {

/// SGD's arithmetic.
struct SgdPass {
  using Options = torch::optim::SGDOptions;
  using State = torch::optim::SGDParamState;
  using Rule = kernels::SgdRule;

  static bool takes(const Options& /*options*/) { return true; }
  static bool has_state(const Options& options) { return options.momentum() != 0; }

  static std::unique_ptr<State> start(const at::Tensor& parameter) {
    auto state = std::make_unique<State>();
    // -0 and not 0: the first momentum is the gradient itself, a zero's sign included.
    state->momentum_buffer(at::full_like(parameter, -0.0));
    return state;
  }

  static std::array<at::Tensor*, 1> tensors(State& state) { return {&state.momentum_buffer()}; }

  static Rule next(State* /*state*/, const Options& options, bool first) {
    return {.rate = options.lr(),
            .momentum = options.momentum(),
            .gradient = first ? 1 : 1 - options.dampening(),
            .decay = options.weight_decay(),
            .nesterov = options.nesterov()};
  }

  template <class T>
  static void step(T* p, const T* g, const StateArrays& states, std::int64_t begin,
                   std::int64_t end, const Rule& rule, kernels::Isa isa) {
    kernels::sgd_step(p, g, static_cast<T*>(states[0]), begin, end, rule, isa);
  }

  static auto device_step() { return kernels::device_kernels().sgd_step; }
};

}  // namespace detail

/// torch::optim::SGD in one pass over memory: with gradient g,
///
///     g <- g + weight_decay * p
///     b <- momentum * b + (1 - dampening) * g      at the first step b <- g
///     p <- p - lr * b,   with nesterov  p <- p - lr * (g + momentum * b),
///                        without momentum  p <- p - lr * g
///
/// It stands wherever torch::optim::SGD does, with its SGDOptions, its state and its files
/// (torch::save, torch::load), in with_decay_groups, a Trainer and the learning-rate schedules.
///
///     rt::FusedSGD optimizer(model->parameters(),
///                            torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(true));
///
/// Results are torch::optim's bit for bit on x86-64-v3 and later, and have the same bits for any
/// number of threads.
///
/// Float32 and float64 parameters on the CPU take the pass, in any dense layout, whatever the
/// layout of their gradients; float32 ones on CUDA too where the component regtorch::cuda is
/// linked, many in one launch. All others (bfloat16, float16, views with gaps, sparse gradients)
/// take torch::optim's own step, with its results and its errors.
///
/// @throws c10::Error, from torch::optim, for an option out of range
///
/// Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in
/// deep learning", ICML 2013.
class FusedSGD : public detail::FusedOptimizer<torch::optim::SGD, detail::SgdPass> {
 public:
  using FusedOptimizer::FusedOptimizer;
};

}  // namespace regtorch
