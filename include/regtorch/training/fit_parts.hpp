#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include "regtorch/core/generator_state.hpp"
#include "regtorch/core/module.hpp"
#include "regtorch/core/state_values.hpp"
#include "regtorch/core/stateful.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/models/state_dict.hpp"
#include "regtorch/training/evaluate.hpp"
#include "regtorch/training/gradient_step.hpp"
#include "regtorch/training/label_disturbance.hpp"
#include "regtorch/training/optimizer_state.hpp"

namespace regtorch::detail {

/// All that takes part in a fit and has a state, by reference.
template <class Criterion, class Batches, class Validation, class... Callbacks>
class FitParts {
 public:
  FitParts(torch::nn::Module& model, torch::optim::Optimizer& optimizer, Criterion& criterion,
           const std::optional<LabelDisturbance>& disturb_labels, GradientStep& gradient_step,
           Batches& batches, Validation* validation, Callbacks&... callbacks)
      : model_(model),
        optimizer_(optimizer),
        criterion_(criterion),
        disturb_labels_(disturb_labels),
        gradient_step_(gradient_step),
        batches_(batches),
        validation_(validation),
        callbacks_(callbacks...) {}

  /// "groups", int64 [g], the parameters of the optimizer's groups, and "callbacks", int64 [1], how
  /// many callbacks have a state; "optimizer", uint8; "generator" and "generator_of_device", uint8;
  /// and under their names those of the others. Not that of the batches: of these one wants the
  /// state that they had when the epoch began.
  TensorDict state_dict() const {
    TensorDict all;
    all.insert("groups", to_tensor(group_sizes()));
    all.insert("callbacks", to_tensor(std::vector{kCallbacks}));
    insert_part(all, "model.", state_dict_of(model_));
    if constexpr (HoldsModule<Criterion>) {
      insert_part(all, "criterion.", state_dict_of(module_of(criterion_)));
    }
    if (disturb_labels_.has_value()) {
      insert_part(all, "disturb_labels.", disturb_labels_->state_dict());
    }
    if (validation_ != nullptr) {
      insert_part(all, "validation.", state_of(*validation_));
    }
    for_each_callback([&](auto& callback, const std::string& prefix) {
      insert_part(all, prefix, state_of(callback));
    });
    insert_part(all, "gradient_step.", gradient_step_.state_dict());
    all.insert("optimizer", optimizer_bytes(optimizer_));
    all.insert("generator", generator_state(c10::kCPU));
    if (const c10::Device device = device_of(model_); !device.is_cpu()) {
      all.insert("generator_of_device", generator_state(device));
    }
    return all;
  }

  /// Whether a checkpoint is of such a fit.
  /// @throws c10::Error if not, saying what was wanted and what there is
  void check(const TensorDict& all) const {
    const StateReader reader("Trainer", all);
    const auto groups = reader.integers("groups");
    TORCH_CHECK(groups == group_sizes(), "Trainer: wanted an optimizer with groups of ", groups,
                " parameters, as in the checkpoint, got groups of ", group_sizes());
    const auto callbacks = reader.integers("callbacks", 1)[0];
    TORCH_CHECK(callbacks == kCallbacks, "Trainer: wanted ", callbacks,
                " callbacks with a state, as in the checkpoint, got ", kCallbacks);
    check_state_dict(state_dict_of(model_), part_of(all, "model."));
  }

  /// Loads everything, batches included, of a checkpoint that was checked.
  /// @throws c10::Error naming what is wrong
  void load(const TensorDict& all) const {
    const StateReader reader("Trainer", all);
    load_state_dict(model_, part_of(all, "model."));
    if constexpr (HoldsModule<Criterion>) {
      load_state_dict(module_of(criterion_), part_of(all, "criterion."));
    }
    if (disturb_labels_.has_value()) {
      disturb_labels_->load_state_dict(part_of(all, "disturb_labels."));
    }
    load_state(batches_, part_of(all, "batches."));
    if (validation_ != nullptr) {
      load_state(*validation_, part_of(all, "validation."));
    }
    for_each_callback([&](auto& callback, const std::string& prefix) {
      load_state(callback, part_of(all, prefix));
    });
    // After the callbacks, of which a schedule sets the optimizer's rates.
    load_optimizer(optimizer_, reader.text("optimizer"));
    gradient_step_.load_state_dict(part_of(all, "gradient_step."));
    // Last, since whatever went before may have drawn from them.
    set_generator_state(c10::kCPU, reader.tensor("generator"));
    if (const c10::Device device = device_of(model_); !device.is_cpu()) {
      set_generator_state(device, reader.tensor("generator_of_device"));
    }
  }

 private:
  static constexpr std::int64_t kCallbacks =
      (std::int64_t{0} + ... + (kHasState<Callbacks> ? 1 : 0));

  std::vector<std::int64_t> group_sizes() const {
    std::vector<std::int64_t> sizes;
    for (const auto& group : optimizer_.param_groups()) {
      sizes.push_back(static_cast<std::int64_t>(group.params().size()));
    }
    return sizes;
  }

  /// Calls `act` with each callback that has a state, and the beginning of its entries' names.
  template <class Act>
  void for_each_callback(const Act& act) const {
    std::apply(
        [&](auto&... callbacks) {
          [[maybe_unused]] int number = 0;
          (
              [&] {
                if constexpr (kHasState<std::remove_reference_t<decltype(callbacks)>>) {
                  act(callbacks, c10::str("callback_", number++, "."));
                }
              }(),
              ...);
        },
        callbacks_);
  }

  torch::nn::Module& model_;
  torch::optim::Optimizer& optimizer_;
  Criterion& criterion_;
  const std::optional<LabelDisturbance>& disturb_labels_;
  GradientStep& gradient_step_;
  Batches& batches_;
  Validation* validation_;
  std::tuple<Callbacks&...> callbacks_;
};

/// Goes over `count` batches of a pass.
template <class Iterator, class End>
void skip(Iterator& next, const End& end, std::int64_t count) {
  if constexpr (requires { next.skip(count); }) {
    if (count > 0) {
      next.skip(count);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      TORCH_CHECK(next != end, "Trainer: wanted more than ", count, " batches in an epoch, got ",
                  i);
      ++next;
    }
  }
}

}  // namespace regtorch::detail
