#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <ATen/core/Tensor.h>
#include <torch/arg.h>
#include <torch/optim/optimizer.h>

#include "regtorch/core/autocast.hpp"
#include "regtorch/core/module.hpp"
#include "regtorch/training/batch_range.hpp"
#include "regtorch/training/callback.hpp"
#include "regtorch/training/evaluate.hpp"
#include "regtorch/training/history.hpp"

namespace regtorch {

/// How Trainer trains.
struct TrainerOptions {
  /// Passes over the training data, at least 0; default 1.
  TORCH_ARG(std::int64_t, epochs) = 1;
  /// Compute in kBFloat16, with weights in float32; default unset: as the weights are.
  TORCH_ARG(std::optional<c10::ScalarType>, autocast);
};

/// The training loop of a classifier.
///
///     rt::Trainer trainer(model, optimizer, criterion, rt::TrainerOptions().epochs(51));
///     rt::History history = trainer.fit(batches, validation, stopper);
///
/// For each batch: forward, criterion, backward, step; for each epoch: the callbacks and, with
/// validation data, an evaluation.
template <class Model, class Optimizer, class Criterion>
class Trainer {
 public:
  /// @param model      see core/module.hpp; shared, as LibTorch's modules are
  /// @param optimizer  a torch::optim::Optimizer over the model's parameters; kept by reference
  /// @param criterion  callable (logits, labels) -> mean loss; kept by value (a module is shared)
  /// @param options    epochs and precision
  /// @throws c10::ValueError if epochs is negative or autocast is to kHalf
  Trainer(Model model, Optimizer& optimizer, Criterion criterion, TrainerOptions options = {})
      : model_(std::move(model)),
        optimizer_(optimizer),
        criterion_(std::move(criterion)),
        options_(std::move(options)) {
    TORCH_CHECK_VALUE(options_.epochs() >= 0, "Trainer: wanted at least 0 epochs, got ",
                      options_.epochs());
    TORCH_CHECK_VALUE(
        options_.autocast() != c10::kHalf,
        "Trainer: wanted autocast to BFloat16, got Half, whose small gradients vanish "
        "without loss scaling");
  }

  /// Trains on labels changed by `disturb` (rt::DisturbLabel, or any callable labels -> labels);
  /// train_accuracy and validation go by the true ones.
  void disturb_labels(std::function<at::Tensor(const at::Tensor&)> disturb) {
    disturb_labels_ = std::move(disturb);
  }

  /// Trains for options.epochs() passes over `batches`, or until a callback stops it.
  ///
  /// The model trains in training mode and ends, also if something throws, with each module in the
  /// mode it was in.
  ///
  /// @param batches     see batch_range.hpp
  /// @param validation  the same; may be left out, and val_loss and val_accuracy with it
  /// @param callbacks   see callback.hpp
  /// @return the metrics of each epoch
  /// @throws c10::Error on a training loss that is not finite, before that step changes the weights
  ///         (on the CPU; on other devices, where looking would mean waiting, at the epoch's end),
  ///         and if there are no batches
  template <BatchRange Batches, BatchRange Validation, class... Callbacks>
  History fit(Batches&& batches, Validation&& validation, Callbacks&&... callbacks) {
    return run(batches, &validation, callbacks...);
  }
  template <BatchRange Batches, class... Callbacks>
  History fit(Batches&& batches, Callbacks&&... callbacks) {
    return run(batches, static_cast<std::remove_reference_t<Batches>*>(nullptr), callbacks...);
  }

  /// The epochs of the last fit: also of one that ended with an exception, up to there.
  const History& history() const { return history_; }

 private:
  template <class Batches, class Validation, class... Callbacks>
  History run(Batches& batches, Validation* validation, Callbacks&... callbacks) {
    (check_callback<Callbacks>(), ...);
    torch::nn::Module& module = module_of(model_);
    const KeepMode keep_mode(module);
    TrainingState state{module, optimizer_, options_.epochs(), 0, 0, {}};
    history_ = {};

    (detail::call_hook<detail::on_fit_begin_hook>(callbacks, state), ...);
    bool stop = false;
    while (!stop && state.epoch < options_.epochs()) {
      ++state.epoch;
      state.metrics = {};
      (detail::call_hook<detail::on_epoch_begin_hook>(callbacks, state), ...);
      const auto start = Clock::now();
      const auto [trained, stopped] = train_epoch(batches, state, callbacks...);
      const auto trained_at = Clock::now();
      state.metrics = {};
      state.metrics.set("train_loss", trained.loss);
      state.metrics.set("train_accuracy", trained.accuracy);
      if (validation != nullptr) {
        const Evaluation validated = evaluate(model_, *validation, criterion_, options_.autocast());
        state.metrics.set("val_loss", validated.loss);
        state.metrics.set("val_accuracy", validated.accuracy);
      }
      state.metrics.set("lr", learning_rate());
      state.metrics.set("train_seconds", Seconds(trained_at - start).count());
      if (validation != nullptr) {
        state.metrics.set("val_seconds", Seconds(Clock::now() - trained_at).count());
      }
      history_.epochs.push_back({state.epoch, state.metrics});
      stop = stopped;
      // Not ||, which would keep the callbacks after the first that stops from seeing the epoch.
      ((stop |= detail::call_hook<detail::on_epoch_end_hook>(callbacks, state)), ...);
      history_.epochs.back().metrics = state.metrics;  // with what the callbacks added
    }
    for (const bool restoring : {false, true}) {
      [[maybe_unused]] const auto end = [&](auto& callback) {
        if (detail::restores_weights<std::remove_reference_t<decltype(callback)>>() == restoring) {
          detail::call_hook<detail::on_fit_end_hook>(callback, state);
        }
      };
      (end(callbacks), ...);
    }
    return history_;
  }

  template <class Batches, class... Callbacks>
  std::pair<Evaluation, bool> train_epoch(Batches& batches, TrainingState& state,
                                          Callbacks&... callbacks) {
    constexpr bool kWatched = (detail::on_batch_end_hook::template callable<Callbacks> || ...);
    state.model.train();
    const c10::DeviceType device = detail::device_type_of(state.model);
    detail::EvaluationSums epoch;
    bool stop = false;
    for (auto& batch : batches) {
      optimizer_.zero_grad();
      at::Tensor logits;
      at::Tensor loss;
      {
        const Autocast region(device, options_.autocast());
        logits = forward(model_, batch.images);
        loss = criterion_(logits, disturb_labels_ ? disturb_labels_(batch.labels) : batch.labels);
      }
      if (loss.is_cpu()) {
        check_finite(loss.template item<double>(), state);
      }
      loss.backward();
      optimizer_.step();
      ++state.step;
      epoch.add(loss, logits, batch.labels);
      if constexpr (kWatched) {
        detail::EvaluationSums one;
        one.add(loss, logits, batch.labels);
        const Evaluation measured = one.mean();
        state.metrics.set("train_loss", measured.loss);
        state.metrics.set("train_accuracy", measured.accuracy);
        state.metrics.set("lr", learning_rate());
        ((stop |= detail::call_hook<detail::on_batch_end_hook>(callbacks, state)), ...);
        if (stop) {
          break;
        }
      }
    }
    const Evaluation mean = epoch.mean();
    check_finite(mean.loss, state);
    return {mean, stop};
  }

  static void check_finite(double loss, const TrainingState& state) {
    TORCH_CHECK(std::isfinite(loss), "Trainer: wanted a finite training loss, got ", loss,
                " in epoch ", state.epoch, " after ", state.step, " steps");
  }

  double learning_rate() const { return optimizer_.param_groups().front().options().get_lr(); }

  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;

  Model model_;
  Optimizer& optimizer_;
  Criterion criterion_;
  TrainerOptions options_;
  std::function<at::Tensor(const at::Tensor&)> disturb_labels_;
  History history_;
};

}  // namespace regtorch
