#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>
#include <c10/util/Exception.h>
#include <torch/arg.h>
#include <torch/nn/module.h>

#include "regtorch/core/snapshot.hpp"
#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"

namespace regtorch {

/// How often a Lookahead looks back, and how far it goes.
struct LookaheadOptions {
  /// Alpha by the number of optimizer steps taken: 5, 10, 15, ... for a period of 5.
  using Alpha = std::function<double(std::int64_t step)>;

  /// Optimizer steps from one synchronization to the next, at least 1; default 5.
  TORCH_ARG(std::int64_t, period) = 5;

 public:
  /// How far the slow weights go towards the fast ones; default 0.5. Finite.
  /// @{
  LookaheadOptions& alpha(double alpha) {
    return this->alpha([alpha](std::int64_t) { return alpha; });
  }
  LookaheadOptions& alpha(Alpha alpha) {
    alpha_ = std::move(alpha);
    return *this;
  }
  const Alpha& alpha() const { return alpha_; }
  /// @}

 private:
  Alpha alpha_ = [](std::int64_t) { return 0.5; };
};

/// Lookahead: slow weights that follow those the optimizer trains, and to which these are put back
/// every few steps. With the weights w and slow weights s = w at first, after every `period`-th
/// step of the optimizer
///
///     s <- s + alpha (w - s)
///     w <- s
///
/// and at the end w <- s. Weights are all floating-point parameters and buffers, so the statistics
/// of batch normalization too.
///
/// In anyone's loop:
///
///     rt::Lookahead lookahead;
///     lookahead.begin(*model);
///     for (...) {
///       optimizer.step();
///       lookahead.step(*model);
///     }
///     lookahead.finish(*model);
///
/// or as a callback: trainer.fit(batches, lookahead). (Gradient accumulation: it counts the
/// optimizer's steps, not batches.) Any alpha is allowed: with 1 - 0.95^5 (t / T)^3 it is the
/// average of Jordan's CIFAR-10 speedrun.
///
/// Source: Zhang, Lucas, Hinton, Ba, "Lookahead optimizer: k steps forward, 1 step back", NeurIPS
/// 2019.
class Lookahead {
 public:
  /// @throws c10::ValueError if the period is below 1, or there is no alpha
  explicit Lookahead(LookaheadOptions options = {}) : options_(std::move(options)) {
    TORCH_CHECK_VALUE(options_.period() >= 1, "Lookahead: wanted a period of at least 1, got ",
                      options_.period());
    TORCH_CHECK_VALUE(options_.alpha() != nullptr, "Lookahead: wanted an alpha, got none");
  }

  /// The slow weights are the model's, and no step was taken.
  void begin(const torch::nn::Module& model) {
    const at::NoGradGuard no_grad;
    slow_ = Snapshot(weights_of(model));
    steps_ = 0;
  }
  /// Call it after each step of the optimizer.
  /// @return whether the weights were synchronized
  /// @throws c10::Error if begin() was not called, or with another model; c10::ValueError, with
  ///         nothing changed but the count, if alpha is not finite
  bool step(torch::nn::Module& model) {
    const auto fast = checked_weights_of(model).values();
    if (++steps_ % options_.period() != 0) {
      return false;
    }
    const double alpha = options_.alpha()(steps_);
    TORCH_CHECK_VALUE(std::isfinite(alpha), "Lookahead: wanted a finite alpha for step ", steps_,
                      ", got ", alpha);
    const at::NoGradGuard no_grad;
    const auto slow = slow_.tensors().values();
    at::_foreach_lerp_(slow, fast, alpha);
    at::_foreach_copy_(fast, slow);
    return true;
  }
  /// Gives the model the slow weights.
  /// @throws c10::Error if begin() was not called, or with another model
  void finish(torch::nn::Module& model) {
    const auto weights = checked_weights_of(model).values();
    const at::NoGradGuard no_grad;
    at::_foreach_copy_(weights, slow_.tensors().values());
  }

  /// "steps", int64 [1]; "slow.<name>", the slow weights, as copies.
  TensorDict state_dict() const {
    TensorDict state;
    state.insert("steps", detail::to_tensor(std::vector{steps_}));
    detail::insert_part(state, kSlow, Snapshot(slow_).tensors());
    return state;
  }
  /// Goes on where the Lookahead stood that `state` is of. Within a fit the Trainer calls it.
  /// @throws c10::Error, with nothing changed, if `state` is not what that gives
  void load_state_dict(const TensorDict& state) {
    const auto steps = detail::StateReader("Lookahead", state).counts("steps", 1)[0];
    slow_ = Snapshot(detail::part_of(state, kSlow));
    steps_ = steps;
  }

  // As a callback. These are templates on regtorch::TrainingState, of which they need little.

  /// Other callbacks see the last weights before they are replaced.
  static constexpr bool restores_weights = true;

  /// @{
  /// What Trainer::fit calls.
  template <class State>
  void on_fit_begin(State& state) {
    begin(state.model);
  }
  template <class State>
  void on_batch_end(State& state) {
    if (state.step > steps_) {
      step(state.model);
    }
  }
  template <class State>
  void on_fit_end(State& state) {
    finish(state.model);
  }
  /// @}

 private:
  static constexpr std::string_view kSlow = "slow.";

  static TensorDict weights_of(const torch::nn::Module& model) {
    TensorDict weights;
    const auto add = [&](const TensorDict& tensors) {
      for (const auto& entry : tensors) {
        if (entry.value().defined() && entry.value().is_floating_point()) {
          weights.insert(entry.key(), entry.value());
        }
      }
    };
    add(model.named_parameters());
    add(model.named_buffers());
    return weights;
  }

  TensorDict checked_weights_of(const torch::nn::Module& model) const {
    auto weights = weights_of(model);
    const TensorDict& slow = slow_.tensors();
    bool same = weights.size() == slow.size();
    for (std::size_t i = 0; same && i < weights.size(); ++i) {
      same = weights[i].key() == slow[i].key() &&
             weights[i].value().sizes() == slow[i].value().sizes();
    }
    TORCH_CHECK(same, "Lookahead: wanted begin() with this model first: it has ", weights.size(),
                " weights, ", slow.size(), " are known, or their names or shapes differ");
    return weights;
  }

  LookaheadOptions options_;
  Snapshot slow_;
  std::int64_t steps_ = 0;
};

}  // namespace regtorch
