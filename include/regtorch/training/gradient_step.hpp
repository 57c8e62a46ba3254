#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <torch/optim/optimizer.h>

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
