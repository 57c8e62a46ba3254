#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/training/training_checkpoint_options.hpp"

namespace regtorch {

/// How Trainer trains.
struct TrainerOptions {
  /// Passes over the training data, at least 0; default 1.
  TORCH_ARG(std::int64_t, epochs) = 1;
  /// Compute in kBFloat16, with weights in float32; default unset: as the weights are.
  TORCH_ARG(std::optional<c10::ScalarType>, autocast);
  /// Take a step for each so many batches, at least 1, with the gradient that one batch of all
  /// their samples would have (batch norm apart); what is left at the end of an epoch is a step
  /// too; default 1.
  TORCH_ARG(std::int64_t, accumulate_grad_batches) = 1;
  /// Before a step, scale the gradients down to this L2 norm, over all parameters; default
  /// infinity: do not.
  TORCH_ARG(double, clip_grad_norm) = std::numeric_limits<double>::infinity();
  /// Before a step, clamp each element of the gradients to plus or minus this; default infinity.
  TORCH_ARG(double, clip_grad_value) = std::numeric_limits<double>::infinity();
  /// Save all that a fit goes on from, for Trainer::resume; default: do not.
  TORCH_ARG(TrainingCheckpointOptions, checkpoint);
};

namespace detail {

/// @throws c10::ValueError naming the option that is out of range
inline void check_options(const TrainerOptions& options) {
  TORCH_CHECK_VALUE(options.epochs() >= 0, "Trainer: wanted at least 0 epochs, got ",
                    options.epochs());
  TORCH_CHECK_VALUE(options.autocast() != c10::kHalf,
                    "Trainer: wanted autocast to BFloat16, got Half, whose small gradients vanish "
                    "without loss scaling");
  TORCH_CHECK_VALUE(options.accumulate_grad_batches() >= 1,
                    "Trainer: wanted accumulate_grad_batches of at least 1, got ",
                    options.accumulate_grad_batches());
  TORCH_CHECK_VALUE(options.clip_grad_norm() > 0, "Trainer: wanted clip_grad_norm above 0, got ",
                    options.clip_grad_norm());
  TORCH_CHECK_VALUE(options.clip_grad_value() > 0, "Trainer: wanted clip_grad_value above 0, got ",
                    options.clip_grad_value());
  TORCH_CHECK_VALUE(std::isinf(options.clip_grad_norm()) || std::isinf(options.clip_grad_value()),
                    "Trainer: wanted clip_grad_norm or clip_grad_value, got both");
  check_options(options.checkpoint());
}

}  // namespace detail

}  // namespace regtorch
