#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <torch/optim/optimizer.h>

#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/training/trainer_options.hpp"
#include "regtorch/weights/clip_grad.hpp"

namespace regtorch::detail {

/// Makes optimizer steps of the losses of batches, as TrainerOptions say: a step for each batch or
/// for several, with gradients clipped.
class GradientStep {
 public:
  GradientStep(torch::optim::Optimizer& optimizer, const TrainerOptions& options)
      : optimizer_(optimizer), options_(options) {}

  /// Computes or adds up the gradients of a batch's mean loss.
  void backward(const at::Tensor& loss, std::int64_t samples) {
    if (batches_ == 0) {
      optimizer_.zero_grad();
      samples_ = 0;
    }
    // Several batches add up the gradients of sums, since they may differ in size; step() divides.
    (accumulates() ? loss * samples : loss).backward();
    ++batches_;
    samples_ += samples;
  }

  /// Takes the step if it is due, as it is after the last batch of an epoch; true if it was.
  bool step(bool last) {
    if (!last && batches_ < options_.accumulate_grad_batches()) {
      return false;
    }
    const auto parameters = this->parameters();
    if (accumulates()) {
      const at::NoGradGuard no_grad;
      at::_foreach_mul_(gradients_of(parameters), 1.0 / static_cast<double>(samples_));
    }
    if (std::isfinite(options_.clip_grad_norm())) {
      clip_grad_norm_(parameters, options_.clip_grad_norm());
    }
    if (std::isfinite(options_.clip_grad_value())) {
      clip_grad_value_(parameters, options_.clip_grad_value());
    }
    optimizer_.step();
    batches_ = 0;
    return true;
  }

  /// Of gradients that wait for a step: "waiting", int64 [2]: batches, samples; and
  /// "gradients.<i>". Empty if there are none.
  TensorDict state_dict() const {
    TensorDict state;
    if (batches_ > 0) {
      state.insert("waiting", to_tensor(std::vector{batches_, samples_}));
      const auto parameters = this->parameters();
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (const at::Tensor& gradient = parameters[i].grad(); gradient.defined()) {
          state.insert(c10::str("gradients.", i), gradient);
        }
      }
    }
    return state;
  }
  /// @throws c10::Error if `state` is not what state_dict() gives with the same parameters
  void load_state_dict(const TensorDict& state) {
    if (state.is_empty()) {
      return;
    }
    const auto waiting = StateReader("Trainer", state).integers("waiting", 2);
    auto parameters = this->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto* gradient = state.find(c10::str("gradients.", i));
      parameters[i].mutable_grad() =
          gradient == nullptr ? at::Tensor() : gradient->to(parameters[i].device());
    }
    batches_ = waiting[0];
    samples_ = waiting[1];
  }

 private:
  bool accumulates() const { return options_.accumulate_grad_batches() > 1; }

  std::vector<at::Tensor> parameters() const {
    std::vector<at::Tensor> parameters;
    for (const auto& group : optimizer_.param_groups()) {
      parameters.insert(parameters.end(), group.params().begin(), group.params().end());
    }
    return parameters;
  }

  torch::optim::Optimizer& optimizer_;
  const TrainerOptions& options_;
  std::int64_t batches_ = 0;  // whose gradients wait for a step
  std::int64_t samples_ = 0;  // of those
};

}  // namespace regtorch::detail
