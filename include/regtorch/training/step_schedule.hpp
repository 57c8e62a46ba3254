#pragma once

#include <cstdint>
#include <vector>

#include <c10/util/Exception.h>
#include <torch/optim/schedulers/lr_scheduler.h>

#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/training/lr_schedule.hpp"
#include "regtorch/training/training_state.hpp"

namespace regtorch {

namespace detail {

/// A learning-rate schedule, and how far it is.
class SteppedSchedule {
 public:
  explicit SteppedSchedule(torch::optim::LRScheduler& schedule) : schedule_(schedule) {}

  void step() {
    schedule_.step();
    ++steps_;
  }

  /// The schedule's own; LibTorch's schedules have none, and get "steps", int64 [1].
  TensorDict state_dict() const {
    if (const auto* schedule = dynamic_cast<const LRSchedule*>(&schedule_)) {
      return schedule->state_dict();
    }
    TensorDict state;
    state.insert("steps", to_tensor(std::vector{steps_}));
    return state;
  }
  void load_state_dict(const TensorDict& state) {
    if (auto* schedule = dynamic_cast<LRSchedule*>(&schedule_)) {
      schedule->load_state_dict(state);
      return;
    }
    const auto steps = StateReader("ScheduleBy...", state).integers("steps", 1)[0];
    TORCH_CHECK(steps_ <= steps, "ScheduleBy...: wanted a new schedule of LibTorch's to take ",
                steps, " steps with, got one that has taken ", steps_);
    while (steps_ < steps) {
      step();
    }
  }

 private:
  torch::optim::LRScheduler& schedule_;
  std::int64_t steps_ = 0;
};

}  // namespace detail

/// A callback of Trainer::fit that steps a learning-rate schedule after each optimizer step.
///
///     rt::OneCycleLR schedule(optimizer, rt::OneCycleLROptions(0.1, epochs * batches.size()));
///     trainer.fit(batches, validation, rt::ScheduleByStep(schedule));
///
/// A batch after which the optimizer does not step (gradients are being accumulated) does not
/// count. A checkpoint keeps the position of rt::LRSchedule and its kin as they say; LibTorch's own
/// schedules, which tell nobody theirs, take their steps anew when a fit is resumed.
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

  /// The schedule's position, for a checkpoint.
  TensorDict state_dict() const { return schedule_.state_dict(); }
  /// Goes there. A schedule of LibTorch's must be as new.
  /// @throws c10::Error if `state` is not what state_dict() gives
  void load_state_dict(const TensorDict& state) { schedule_.load_state_dict(state); }

 private:
  detail::SteppedSchedule schedule_;
  std::int64_t seen_ = 0;
};

/// A callback of Trainer::fit that steps a learning-rate schedule after each epoch.
///
///     rt::CosineAnnealingLR schedule(optimizer, rt::CosineAnnealingLROptions(epochs));
///     trainer.fit(batches, validation, rt::ScheduleByEpoch(schedule));
///
/// What a checkpoint keeps of it is as with ScheduleByStep.
class ScheduleByEpoch {
 public:
  /// @param schedule  any torch::optim::LRScheduler; kept by reference
  explicit ScheduleByEpoch(torch::optim::LRScheduler& schedule) : schedule_(schedule) {}

  /// What Trainer::fit calls.
  void on_epoch_end(TrainingState& /*state*/) { schedule_.step(); }

  /// The schedule's position, for a checkpoint.
  TensorDict state_dict() const { return schedule_.state_dict(); }
  /// Goes there. A schedule of LibTorch's must be as new.
  /// @throws c10::Error if `state` is not what state_dict() gives
  void load_state_dict(const TensorDict& state) { schedule_.load_state_dict(state); }

 private:
  detail::SteppedSchedule schedule_;
};

}  // namespace regtorch
