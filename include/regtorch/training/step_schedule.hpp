#pragma once

#include <cstdint>

#include <torch/optim/schedulers/lr_scheduler.h>

#include "regtorch/training/training_state.hpp"

namespace regtorch {

/// A callback of Trainer::fit that steps a learning-rate schedule after each optimizer step.
///
///     rt::OneCycleLR schedule(optimizer, rt::OneCycleLROptions(0.1, epochs * batches.size()));
///     trainer.fit(batches, validation, rt::ScheduleByStep(schedule));
///
/// A batch after which the optimizer does not step (gradients are being accumulated) does not
/// count.
class ScheduleByStep {
 public:
  /// @param schedule  any torch::optim::LRScheduler; kept by reference
  explicit ScheduleByStep(torch::optim::LRScheduler& schedule) : schedule_(schedule) {}

  /// @{
  /// What Trainer::fit calls.
  void on_fit_begin(TrainingState& state) { seen_ = state.step; }
  void on_batch_end(TrainingState& state) {
    if (state.step != seen_) {
      seen_ = state.step;
      schedule_.step();
    }
  }
  /// @}

 private:
  torch::optim::LRScheduler& schedule_;
  std::int64_t seen_ = 0;
};

/// A callback of Trainer::fit that steps a learning-rate schedule after each epoch.
///
///     rt::CosineAnnealingLR schedule(optimizer, rt::CosineAnnealingLROptions(epochs));
///     trainer.fit(batches, validation, rt::ScheduleByEpoch(schedule));
class ScheduleByEpoch {
 public:
  /// @param schedule  any torch::optim::LRScheduler; kept by reference
  explicit ScheduleByEpoch(torch::optim::LRScheduler& schedule) : schedule_(schedule) {}

  /// What Trainer::fit calls.
  void on_epoch_end(TrainingState& /*state*/) { schedule_.step(); }

 private:
  torch::optim::LRScheduler& schedule_;
};

}  // namespace regtorch
