#pragma once

#include <torch/optim/adamw.h>

#include "regtorch/weights/fused_adam.hpp"

namespace regtorch {

/// torch::optim::AdamW in one pass over memory: Adam whose weight decay passes by the gradient,
///
///     p <- (1 - lr * weight_decay) * p,    then Adam's step without weight decay
///
/// All of FusedAdam holds: it takes torch::optim's AdamWOptions, keeps its state and reads its
/// files; m and v are its own bit for bit on x86-64-v3 and later; what the pass can't take, and
/// groups with amsgrad, take its own step.
///
///     rt::FusedAdamW optimizer(model->parameters(), torch::optim::AdamWOptions(1e-3));
///
/// @throws c10::Error, from torch::optim, for an option out of range and for sparse gradients
///
/// Source: Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019.
class FusedAdamW
    : public detail::FusedOptimizer<
          torch::optim::AdamW,
          detail::AdamPass<torch::optim::AdamWOptions, torch::optim::AdamWParamState, true>> {
 public:
  using FusedOptimizer::FusedOptimizer;
};

}  // namespace regtorch
