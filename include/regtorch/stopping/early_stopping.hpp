#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/nn/module.h>

#include "regtorch/core/monitor_mode.hpp"
#include "regtorch/core/snapshot.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/stopping/early_stopping_options.hpp"
#include "regtorch/stopping/early_stopping_state.hpp"

namespace regtorch {

/// Stops a training when the validation loss (or another metric) no longer improves, and gives back
/// the best weights.
///
/// In anyone's loop:
///
///     rt::EarlyStopping stopper(
///         rt::EarlyStoppingOptions().patience(5).restore_best_weights(true));
///     do {
///       train_an_epoch();
///     } while (!stopper.step(validation_loss(), *model));
///
/// or as a callback: trainer.fit(batches, validation, stopper).
///
/// A check asks, in this order: is the value not finite, is it worse than the divergence threshold,
/// does it beat the best (kept even if one of the next stops), has it reached the stopping
/// threshold, is the patience at its end. For mode kMin, value v beats b if v < b - min_delta.
///
/// The union of what Lightning's and Keras's EarlyStopping offer. Source of the method: Prechelt,
/// "Early stopping - but when?", 1998.
class EarlyStopping {
 public:
  /// @throws c10::ValueError if patience, min_delta or start_from_epoch is negative or not a number
  explicit EarlyStopping(EarlyStoppingOptions options = {}) : options_(std::move(options)) {
    TORCH_CHECK_VALUE(!options_.patience().has_value() || *options_.patience() >= 0,
                      "EarlyStopping: wanted a patience of at least 0, got ",
                      options_.patience().value_or(0));
    TORCH_CHECK_VALUE(options_.min_delta() >= 0,
                      "EarlyStopping: wanted a min_delta of at least 0, got ",
                      options_.min_delta());
    TORCH_CHECK_VALUE(options_.start_from_epoch() >= 0,
                      "EarlyStopping: wanted a start_from_epoch of at least 0, got ",
                      options_.start_from_epoch());
    reset();
  }

  /// One check, after an epoch: true if training should stop. If it should, and the best weights
  /// are kept, they are put back at once; the last ones stay obtainable by restore_last.
  /// @param value  the epoch's validation loss, or whatever is monitored
  /// @param model  whose weights are kept or put back
  bool step(double value, torch::nn::Module& model) {
    const bool stop = check(value, state_.epoch + 1, &model);
    if (stop && options_.restore_best_weights() && has_best()) {
      restore(model);
    }
    return stop;
  }
  /// The same where no weights are kept.
  /// @throws c10::Error if restore_best_weights is set
  bool step(double value) {
    TORCH_CHECK(!options_.restore_best_weights(),
                "EarlyStopping: wanted step(value, model), since restore_best_weights is set");
    return check(value, state_.epoch + 1, nullptr);
  }

  /// The best value so far; infinity, or minus infinity for kMax, before there is one.
  double best() const { return state_.best; }
  /// Its epoch, counted from 1; 0 before there is one.
  std::int64_t best_epoch() const { return state_.best_epoch; }
  /// Why the last check said stop; kNone if it did not.
  StopReason reason() const { return state_.reason; }

  /// Puts the best weights and buffers into `model`, whether anything stopped or not, and keeps
  /// those it had for restore_last.
  /// @throws c10::Error if restore_best_weights is not set or there is no best yet
  void restore(torch::nn::Module& model) {
    TORCH_CHECK(options_.restore_best_weights(),
                "EarlyStopping: no weights were kept; wanted restore_best_weights(true)");
    TORCH_CHECK(has_best(), "EarlyStopping: no epoch was the best yet");
    Snapshot now;
    now.capture(model);
    state_.best_weights.restore(model);
    // Restored twice, the model's weights are the best ones already, and the last ones still kept.
    if (!state_.restored) {
      state_.last_weights = std::move(now);
    }
    state_.restored = true;
  }
  /// Puts back the weights and buffers that `model` had before the best ones were restored.
  /// @throws c10::Error if nothing was restored yet
  void restore_last(torch::nn::Module& model) {
    TORCH_CHECK(!state_.last_weights.empty(), "EarlyStopping: nothing was restored yet");
    state_.last_weights.restore(model);
    state_.restored = false;
  }

  /// Forgets all checks, as if new.
  void reset() {
    state_ = {};
    state_.best = worst_value(options_.mode());
    loaded_ = false;
  }

  /// Everything the checks have left behind, weights included, as copies: rt::save_state_dict
  /// writes it to a file.
  TensorDict state_dict() const { return state_.to_tensors(); }
  /// Goes on where the EarlyStopping stood that `tensors` are of; the options stay this one's. The
  /// next fit does not begin anew then.
  /// @throws c10::Error, with nothing changed, naming an entry that is missing, unknown or wrong,
  ///         and if there are no best weights, but restore_best_weights is set
  void load_state_dict(const TensorDict& tensors) {
    auto state = detail::EarlyStoppingState::from_tensors(tensors);
    TORCH_CHECK(
        !options_.restore_best_weights() || state.best_epoch == 0 || !state.best_weights.empty(),
        "EarlyStopping: wanted best weights, since restore_best_weights is set, got none");
    state_ = std::move(state);
    loaded_ = true;
  }

  // As a callback. These are templates on regtorch::TrainingState, which a piece may not include.

  /// Keeps the Trainer from calling on_fit_end before the other callbacks have seen the last
  /// weights.
  static constexpr bool restores_weights = true;

  /// @{
  /// What Trainer::fit calls.
  template <class State>
  void on_fit_begin(State& /*state*/) {
    if (!std::exchange(loaded_, false)) {
      reset();
    }
  }
  template <class State>
  bool on_epoch_end(State& state) {
    return check(state.metrics.at(options_.monitor()), state.epoch, &state.model);
  }
  template <class State>
  void on_fit_end(State& state) {
    loaded_ = false;
    if (options_.restore_best_weights() && has_best()) {
      restore(state.model);
    }
  }
  /// @}

 private:
  bool has_best() const { return state_.best_epoch > 0; }
  bool beats(double value, double other) const {
    return is_better(value, other, options_.mode(), options_.min_delta());
  }

  bool check(double value, std::int64_t epoch, const torch::nn::Module* model) {
    loaded_ = false;
    state_.epoch = epoch;
    state_.restored = false;
    state_.reason = epoch <= options_.start_from_epoch() ? StopReason::kNone : judge(value, model);
    return state_.reason != StopReason::kNone;
  }

  StopReason judge(double value, const torch::nn::Module* model) {
    if (options_.check_finite() && !std::isfinite(value)) {
      return StopReason::kNonFinite;
    }
    const auto& divergence = options_.divergence_threshold();
    if (divergence.has_value() && is_better(*divergence, value, options_.mode())) {
      return StopReason::kDivergenceThreshold;
    }
    ++state_.waited;
    if (std::isfinite(value) && beats(value, state_.best)) {
      // Without a model this option is off; g++ cannot know, and would warn of a null pointer.
      if (options_.restore_best_weights() && model != nullptr) {
        state_.best_weights.capture(*model);
      }
      state_.best = value;
      state_.best_epoch = state_.epoch;
      if (!options_.baseline().has_value() || beats(value, *options_.baseline())) {
        state_.waited = 0;
      }
    }
    const auto& threshold = options_.stopping_threshold();
    if (threshold.has_value() && std::isfinite(value) &&
        !is_better(*threshold, value, options_.mode())) {
      return StopReason::kStoppingThreshold;
    }
    const auto& patience = options_.patience();
    return patience.has_value() && state_.waited > 0 && state_.waited >= *patience
               ? StopReason::kPatience
               : StopReason::kNone;
  }

  EarlyStoppingOptions options_;
  detail::EarlyStoppingState state_;
  bool loaded_ = false;  // by load_state_dict, with no check and no fit since
};

}  // namespace regtorch
