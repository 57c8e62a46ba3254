#pragma once

#include <cstdint>

#include <torch/torch.h>

#include "regtorch/training/training_state.hpp"

namespace regtorch::testing {

/// A TrainingState to fill by hand, with a model and an optimizer that nobody looks at.
struct ProgressState {
  torch::nn::Linear model{1, 1};
  torch::optim::SGD optimizer{model->parameters(), 0.1};
  TrainingState state{*model, optimizer};

  ProgressState(std::int64_t epoch, std::int64_t epochs) {
    state.epoch = epoch;
    state.epochs = epochs;
  }
  ProgressState(std::int64_t epoch, std::int64_t epochs, std::int64_t batch, std::int64_t batches,
                std::int64_t samples)
      : ProgressState(epoch, epochs) {
    state.batch = batch;
    state.batches = batches;
    state.samples = samples;
  }

  /// The metrics of an epoch with validation.
  ProgressState& with_epoch(double train_loss, double train_accuracy, double val_loss,
                            double val_accuracy) {
    with_epoch(train_loss, train_accuracy);
    state.metrics.set("val_loss", val_loss);
    state.metrics.set("val_accuracy", val_accuracy);
    state.metrics.set("val_seconds", 30);
    return *this;
  }
  ProgressState& with_epoch(double train_loss, double train_accuracy) {
    state.metrics = {};
    state.metrics.set("train_loss", train_loss);
    state.metrics.set("train_accuracy", train_accuracy);
    state.metrics.set("lr", 0.001);
    state.metrics.set("train_seconds", 183.75);
    return *this;
  }
};

}  // namespace regtorch::testing
