#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <ATen/core/Tensor.h>
#include <torch/optim/optimizer.h>

#include "regtorch/core/autocast.hpp"
#include "regtorch/core/module.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/models/state_dict.hpp"
#include "regtorch/training/batch_range.hpp"
#include "regtorch/training/callback.hpp"
#include "regtorch/training/evaluate.hpp"
#include "regtorch/training/fit_parts.hpp"
#include "regtorch/training/fit_progress.hpp"
#include "regtorch/training/gradient_step.hpp"
#include "regtorch/training/history.hpp"
#include "regtorch/training/label_disturbance.hpp"
#include "regtorch/training/new_file.hpp"
#include "regtorch/training/non_finite_loss.hpp"
#include "regtorch/training/trainer_options.hpp"

namespace regtorch {

/// The training loop of a classifier.
///
///     rt::Trainer trainer(model, optimizer, criterion, rt::TrainerOptions().epochs(51));
///     rt::History history = trainer.fit(batches, validation, stopper);
///
/// For each batch: forward, criterion, backward, step; for each epoch: with validation data, an
/// evaluation; and the callbacks.
template <class Model, class Optimizer, class Criterion>
class Trainer {
 public:
  /// @param model      see core/module.hpp; shared, as LibTorch's modules are
  /// @param optimizer  a torch::optim::Optimizer over the model's parameters; kept by reference
  /// @param criterion  callable (logits, labels) -> mean loss; kept by value (a module is shared)
  /// @param options    see trainer_options.hpp
  /// @throws c10::ValueError for an option out of range
  Trainer(Model model, Optimizer& optimizer, Criterion criterion, TrainerOptions options = {})
      : model_(std::move(model)),
        optimizer_(optimizer),
        criterion_(std::move(criterion)),
        options_(std::move(options)) {
    detail::check_options(options_);
  }

  /// Trains on labels changed by `disturb`; train_accuracy and validation go by the true ones.
  ///
  /// @param disturb  rt::DisturbLabel, rt::DirectionalDisturbLabel, or any callable
  ///                 labels -> labels or (labels, logits) -> labels
  template <class Disturb>
  void disturb_labels(Disturb disturb) {
    disturb_labels_.emplace(std::move(disturb));
  }

  /// Validates with another criterion than the one trained with, so that the validation loss of a
  /// run with smoothed labels, say, can be compared with that of one without.
  ///
  /// @param criterion  callable (logits, labels) -> loss, the mean over the samples
  void validate_with(std::function<at::Tensor(const at::Tensor&, const at::Tensor&)> criterion) {
    validation_criterion_ = std::move(criterion);
  }

  /// The next fit goes on from a checkpoint that an earlier one wrote, as TrainerOptions said, and
  /// continues bit for bit as that would have: with weights, optimizer, criterion, labels'
  /// disturbance, callbacks, batches and validation, LibTorch's generators, history, and the place
  /// in the epoch. Model, optimizer, batches and callbacks are to be made as they were for the
  /// earlier fit; seeds need not be, since those that were drawn are in the checkpoint.
  ///
  ///     if (std::filesystem::exists("run/training.pt")) {
  ///       trainer.resume("run/training.pt");
  ///     }
  ///     trainer.fit(batches, validation, stopper);
  ///
  /// The same bits take the same machine, number of threads and LibTorch. Batches of another class
  /// than data::Batches go on from their beginning if they have no state_dict().
  ///
  /// @throws c10::Error if the file cannot be read or is no checkpoint
  void resume(const std::filesystem::path& path) {
    TensorDict saved = load_state_dict(path);
    TORCH_CHECK(saved.contains("fit"), "Trainer: wanted a checkpoint of a training, got ",
                path.string(), ", which has no entry fit");
    resume_from_ = std::move(saved);
  }

  /// Trains for options.epochs() passes over `batches`, or until a callback stops it.
  ///
  /// A callback that stops in the midst of an epoch ends it there: it is not evaluated, and no part
  /// of the history. The model trains in training mode and ends, also if something throws, with
  /// each module in the mode it was in.
  ///
  /// @param batches     see batch_range.hpp
  /// @param validation  the same; may be left out, and val_loss and val_accuracy with it
  /// @param callbacks   see callback.hpp
  /// @return the metrics of each epoch
  /// @throws NonFiniteLoss on a training loss that is not finite, before that step changes the
  ///         weights (on the CPU; on other devices, where looking would mean waiting, at the
  ///         epoch's end); c10::Error if there are no batches, if a checkpoint cannot be written,
  ///         and, with nothing of the fit's changed, if one to resume does not fit it
  template <BatchRange Batches, BatchRange Validation, class... Callbacks>
  History fit(Batches&& batches, Validation&& validation, Callbacks&&... callbacks) {
    return run(batches, &validation, callbacks...);
  }
  /// The same without validation.
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
    TrainingState state{module, optimizer_, options_.epochs()};
    if constexpr (requires { batches.size(); }) {
      state.batches = count(batches.size());
    }
    detail::FitProgress progress;
    detail::GradientStep gradient_step(optimizer_, options_);
    const detail::FitParts<Criterion, Batches, Validation, Callbacks...> parts(
        module, optimizer_, criterion_, disturb_labels_, gradient_step, batches, validation,
        callbacks...);
    history_ = {};
    auto resumed = std::exchange(resume_from_, std::nullopt);
    if (resumed.has_value()) {
      parts.check(*resumed);
      progress.load(*resumed, state);
      history_ = detail::history_of(*resumed);
      if (!progress.midway && !history_.epochs.empty()) {
        state.metrics = history_.epochs.back().metrics;
      }
    }
    const auto& path = options_.checkpoint().path();
    if (!path.empty()) {
      detail::check_can_write("Trainer", path, /*replaces=*/true);
    }
    const auto save = [&] {
      if (!path.empty()) {
        TensorDict all = progress.to_tensors(state);
        all.update(detail::to_tensors(history_));
        all.update(parts.state_dict());
        save_state_dict(all, path);
      }
    };

    (detail::call_hook<detail::on_fit_begin_hook>(callbacks, state), ...);
    if (resumed.has_value()) {
      if (progress.midway) {
        (detail::call_hook<detail::on_epoch_begin_hook>(callbacks, state), ...);
      }
      parts.load(*resumed);
      resumed.reset();  // as large as the model and the optimizer
    }
    while (!state.stopping &&
           (progress.midway ? state.epoch <= state.epochs : state.epoch < state.epochs)) {
      if (!progress.midway) {
        begin_epoch(state);
        progress.begin_epoch(batches);
        (detail::call_hook<detail::on_epoch_begin_hook>(callbacks, state), ...);
      }
      if (!train_epoch(batches, state, progress, gradient_step, save, callbacks...)) {
        break;
      }
      const auto trained_at = Clock::now();
      if (validation != nullptr) {
        const Evaluation validated =
            validation_criterion_
                ? evaluate(model_, *validation, validation_criterion_, options_.autocast())
                : evaluate(model_, *validation, criterion_, options_.autocast());
        state.metrics.set("val_loss", validated.loss);
        state.metrics.set("val_accuracy", validated.accuracy);
      }
      state.metrics.set("lr", lr_);
      state.metrics.set("train_seconds", progress.seconds);
      if (validation != nullptr) {
        state.metrics.set("val_seconds", seconds_since(trained_at));
      }
      history_.epochs.push_back({state.epoch, state.metrics});
      // Not ||, which would keep the callbacks after the first that stops from seeing the epoch.
      (stop(detail::call_hook<detail::on_epoch_end_hook>(callbacks, state), callbacks, state,
            progress),
       ...);
      history_.epochs.back().metrics = state.metrics;  // with what the callbacks added
      progress.end_epoch(batches);
      if (state.epoch % options_.checkpoint().every_n_epochs() == 0 || state.stopping ||
          state.epoch == state.epochs) {
        save();
      }
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

  /// The epoch's training; its metrics are in `state` then. False if it was stopped in its midst.
  template <class Batches, class Save, class... Callbacks>
  bool train_epoch(Batches& batches, TrainingState& state, detail::FitProgress& progress,
                   detail::GradientStep& gradient_step, const Save& save, Callbacks&... callbacks) {
    constexpr bool kWatched = (detail::on_batch_end_hook::template callable<Callbacks> || ...);
    const auto start = Clock::now();
    const double seconds_before = progress.seconds;
    state.model.train();
    const c10::DeviceType device = detail::device_of(state.model).type();
    const std::int64_t every_n_batches = options_.checkpoint().every_n_batches();
    auto next = batches.begin();
    const auto end = batches.end();
    detail::skip(next, end, state.batch);
    for (bool last = !(next != end); !last;) {
      at::Tensor labels;
      at::Tensor logits;
      at::Tensor loss;
      {
        auto& batch = *next;
        labels = batch.labels;
        const Autocast region(device, options_.autocast());
        logits = forward(model_, batch.images);
        loss = criterion_(
            logits, disturb_labels_.has_value() ? (*disturb_labels_)(labels, logits) : labels);
      }
      if (loss.is_cpu()) {
        check_finite(loss.template item<double>(), state);
      }
      gradient_step.backward(loss, labels.size(0));
      // Whether a batch is the last one is known only by going on to the next.
      ++next;
      last = !(next != end);
      lr_ = optimizer_.param_groups().front().options().get_lr();
      state.step += gradient_step.step(last) ? 1 : 0;
      ++state.batch;
      state.samples += labels.size(0);
      detail::EvaluationSums one;
      one.add(loss, logits, labels);
      progress.sums.add(one);
      if constexpr (kWatched) {
        set_metrics(one.mean(), state);
        state.metrics.set("lr", lr_);
        (stop(detail::call_hook<detail::on_batch_end_hook>(callbacks, state), callbacks, state,
              progress),
         ...);
      }
      progress.seconds = seconds_before + seconds_since(start);
      if (!last &&
          (state.stopping || (every_n_batches > 0 && state.batch % every_n_batches == 0))) {
        save();
      }
      if (!last && state.stopping) {
        return false;
      }
    }
    const Evaluation mean = progress.sums.mean();
    check_finite(mean.loss, state);
    state.metrics = {};
    set_metrics(mean, state);
    return true;
  }

  /// Notes whether a callback wants the fit to stop, and the training with it.
  template <class Callback>
  static void stop(bool wanted, const Callback& /*callback*/, TrainingState& state,
                   detail::FitProgress& progress) {
    state.stopping |= wanted;
    progress.ended |= wanted && !detail::interrupts<Callback>();
  }

  static void begin_epoch(TrainingState& state) {
    ++state.epoch;
    state.batch = 0;
    state.samples = 0;
    state.metrics = {};
  }

  static void set_metrics(const Evaluation& trained, TrainingState& state) {
    state.metrics.set("train_loss", trained.loss);
    state.metrics.set("train_accuracy", trained.accuracy);
  }

  template <class Size>
  static std::int64_t count(const Size& size) {
    if constexpr (requires { *size; }) {
      return static_cast<std::int64_t>(*size);
    } else {
      return static_cast<std::int64_t>(size);
    }
  }

  static void check_finite(double loss, const TrainingState& state) {
    if (!std::isfinite(loss)) {
      throw NonFiniteLoss({__func__, __FILE__, __LINE__},
                          c10::str("Trainer: wanted a finite training loss, got ", loss,
                                   " in epoch ", state.epoch, " after ", state.step, " steps"));
    }
  }

  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  Model model_;
  Optimizer& optimizer_;
  Criterion criterion_;
  TrainerOptions options_;
  std::optional<detail::LabelDisturbance> disturb_labels_;
  std::function<at::Tensor(const at::Tensor&, const at::Tensor&)> validation_criterion_;
  History history_;
  std::optional<TensorDict> resume_from_;  // what the next fit goes on from
  double lr_ = 0;                          // of the last step
};

}  // namespace regtorch
