#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <tuple>

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros_like.h>
#include <torch/optim/adam.h>

#include "regtorch/kernels/adam_step.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/weights/fused_optimizer.hpp"

namespace regtorch {

namespace detail {

/// Adam's arithmetic, or AdamW's with kDecoupled.
template <class OptionsType, class StateType, bool kDecoupled>
struct AdamPass {
  using Options = OptionsType;
  using State = StateType;
  using Rule = kernels::AdamRule;

  static bool takes(const Options& options) { return !options.amsgrad(); }
  static bool has_state(const Options& /*options*/) { return true; }

  static std::unique_ptr<State> start(const at::Tensor& parameter) {
    auto state = std::make_unique<State>();
    state->exp_avg(at::zeros_like(parameter));
    state->exp_avg_sq(at::zeros_like(parameter));
    return state;
  }

  static std::array<at::Tensor*, 2> tensors(State& state) {
    return {&state.exp_avg(), &state.exp_avg_sq()};
  }

  static Rule next(State* state, const Options& options, bool /*first*/) {
    state->step(state->step() + 1);
    const auto [beta1, beta2] = options.betas();
    const auto t = static_cast<double>(state->step());
    Rule rule;
    rule.beta1 = beta1;
    rule.beta2 = beta2;
    rule.gradient1 = 1 - beta1;
    rule.gradient2 = 1 - beta2;
    rule.rate = options.lr() / (1 - std::pow(beta1, t));
    rule.scale = 1 / std::sqrt(1 - std::pow(beta2, t));
    rule.eps = options.eps();
    if constexpr (kDecoupled) {
      rule.keep = 1 - options.lr() * options.weight_decay();
    } else {
      rule.decay = options.weight_decay();
    }
    return rule;
  }

  template <class T>
  static void step(T* p, const T* g, const StateArrays& states, std::int64_t begin,
                   std::int64_t end, const Rule& rule, kernels::Isa isa) {
    kernels::adam_step(p, g, static_cast<T*>(states[0]), static_cast<T*>(states[1]), begin, end,
                       rule, isa);
  }

  static auto device_step() { return kernels::device_kernels().adam_step; }
};

}  // namespace detail

/// torch::optim::Adam in one pass over memory: at step t, with gradient g,
///
///     g <- g + weight_decay * p
///     m <- beta1 * m + (1 - beta1) * g
///     v <- beta2 * v + (1 - beta2) * g^2
///     p <- p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
///
/// It stands wherever torch::optim::Adam does, with its AdamOptions, its state and its files
/// (torch::save, torch::load), in with_decay_groups, a Trainer and the learning-rate schedules.
///
///     rt::FusedAdam optimizer(model->parameters(), torch::optim::AdamOptions(1e-3));
///
/// m and v are torch::optim's bit for bit on x86-64-v3 and later, as long as the weights are and
/// no weight decay brings them in; each step's change of p is within 8 units in the last place of
/// torch::optim's. Results have the same bits for any number of threads.
///
/// Float32 and float64 parameters on the CPU take the pass, in any dense layout, whatever the
/// layout of their gradients; float32 ones on CUDA too where the component regtorch::cuda is
/// linked, many in one launch. All others (bfloat16, float16, views with gaps) and groups with
/// amsgrad take torch::optim's own step, with its results and its errors.
///
/// @throws c10::Error, from torch::optim, for an option out of range and for sparse gradients
///
/// Source: Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015.
class FusedAdam
    : public detail::FusedOptimizer<
          torch::optim::Adam,
          detail::AdamPass<torch::optim::AdamOptions, torch::optim::AdamParamState, false>> {
 public:
  using FusedOptimizer::FusedOptimizer;
};

}  // namespace regtorch
