#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/snapshot.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/stopping/early_stopping_options.hpp"

namespace regtorch::detail {

/// What the checks of an EarlyStopping leave behind.
struct EarlyStoppingState {
  double best = 0;
  std::int64_t best_epoch = 0;  // 0: no best yet
  std::int64_t epoch = 0;
  std::int64_t waited = 0;  // checks without improvement
  StopReason reason = StopReason::kNone;
  bool restored = false;  // the model holds the best weights, put there since the last check
  Snapshot best_weights;
  Snapshot last_weights;

  /// "best", float64 []; "checks", int64 [5]: best_epoch, epoch, waited, reason, restored; then
  /// "best_weights.<name>" and "last_weights.<name>".
  TensorDict to_tensors() const {
    TensorDict tensors;
    tensors.insert("best", at::empty({}, at::kDouble).fill_(best));
    const auto checks = at::empty({5}, at::kLong);
    const std::int64_t values[] = {best_epoch, epoch, waited, static_cast<std::int64_t>(reason),
                                   static_cast<std::int64_t>(restored)};
    std::copy(std::begin(values), std::end(values), checks.mutable_data_ptr<std::int64_t>());
    tensors.insert("checks", checks);
    for (const auto& [prefix, weights] :
         {std::pair(kBestWeights, &best_weights), std::pair(kLastWeights, &last_weights)}) {
      for (const auto& entry : weights->tensors()) {
        tensors.insert(c10::str(prefix, entry.key()), entry.value().clone());
      }
    }
    return tensors;
  }

  /// @throws c10::Error naming an entry that is missing, unknown or wrong
  static EarlyStoppingState from_tensors(const TensorDict& tensors) {
    EarlyStoppingState state;
    state.best = *get(tensors, "best", at::kDouble, {}).data_ptr<double>();
    const auto checks = get(tensors, "checks", at::kLong, {5});
    const auto* values = checks.data_ptr<std::int64_t>();
    state.best_epoch = values[0];
    state.epoch = values[1];
    state.waited = values[2];
    state.reason = static_cast<StopReason>(values[3]);
    state.restored = values[4] != 0;
    const auto is_count = [](std::int64_t value) { return 0 <= value && value <= kMostChecks; };
    TORCH_CHECK(is_count(state.best_epoch) && is_count(state.epoch) && is_count(state.waited) &&
                    0 <= values[3] && values[3] <= static_cast<std::int64_t>(StopReason::kPatience),
                "EarlyStopping: wanted counts of checks in the entry checks, got ", checks);
    TensorDict best_weights;
    TensorDict last_weights;
    for (const auto& entry : tensors) {
      const std::string& name = entry.key();
      if (name.starts_with(kBestWeights)) {
        best_weights.insert(name.substr(kBestWeights.size()), entry.value());
      } else if (name.starts_with(kLastWeights)) {
        last_weights.insert(name.substr(kLastWeights.size()), entry.value());
      } else {
        TORCH_CHECK(name == "best" || name == "checks",
                    "EarlyStopping: wanted what state_dict() gives, got an entry ", name);
      }
    }
    state.best_weights = Snapshot(best_weights);
    state.last_weights = Snapshot(last_weights);
    return state;
  }

 private:
  static constexpr std::int64_t kMostChecks = std::int64_t{1} << 62;  // so that counting goes on
  static constexpr std::string_view kBestWeights = "best_weights.";
  static constexpr std::string_view kLastWeights = "last_weights.";

  static at::Tensor get(const TensorDict& tensors, const std::string& name, c10::ScalarType type,
                        c10::IntArrayRef sizes) {
    const auto* tensor = tensors.find(name);
    TORCH_CHECK(tensor != nullptr, "EarlyStopping: wanted what state_dict() gives, got no entry ",
                name);
    TORCH_CHECK(tensor->scalar_type() == type && tensor->sizes() == sizes, "EarlyStopping: wanted ",
                type, " ", sizes, " as the entry ", name, ", got ", describe(*tensor));
    return tensor->cpu().contiguous();
  }
};

}  // namespace regtorch::detail
