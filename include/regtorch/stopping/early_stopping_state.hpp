#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <c10/util/Exception.h>

#include "regtorch/core/snapshot.hpp"
#include "regtorch/core/state_values.hpp"
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

  /// "best", float64 [1]; "checks", int64 [5]: best_epoch, epoch, waited, reason, restored; then
  /// "best_weights.<name>" and "last_weights.<name>".
  TensorDict to_tensors() const {
    TensorDict tensors;
    tensors.insert("best", to_tensor(std::vector<double>{best}));
    tensors.insert("checks", to_tensor(std::vector{best_epoch, epoch, waited,
                                                   static_cast<std::int64_t>(reason),
                                                   static_cast<std::int64_t>(restored)}));
    // Copies, which later checks do not change.
    insert_part(tensors, kBestWeights, Snapshot(best_weights).tensors());
    insert_part(tensors, kLastWeights, Snapshot(last_weights).tensors());
    return tensors;
  }

  /// @throws c10::Error naming an entry that is missing, unknown or wrong
  static EarlyStoppingState from_tensors(const TensorDict& tensors) {
    const StateReader reader("EarlyStopping", tensors);
    EarlyStoppingState state;
    state.best = reader.doubles("best", 1)[0];
    const auto checks = reader.integers("checks", 5);
    state.best_epoch = checks[0];
    state.epoch = checks[1];
    state.waited = checks[2];
    state.reason = static_cast<StopReason>(checks[3]);
    state.restored = checks[4] != 0;
    TORCH_CHECK(is_count(state.best_epoch) && is_count(state.epoch) && is_count(state.waited) &&
                    0 <= checks[3] && checks[3] <= static_cast<std::int64_t>(StopReason::kPatience),
                "EarlyStopping: wanted counts of checks in the entry checks, got ", checks);
    for (const auto& name : tensors.keys()) {
      TORCH_CHECK(name == "best" || name == "checks" || name.starts_with(kBestWeights) ||
                      name.starts_with(kLastWeights),
                  "EarlyStopping: wanted what state_dict() gives, got an entry ", name);
    }
    state.best_weights = Snapshot(part_of(tensors, kBestWeights));
    state.last_weights = Snapshot(part_of(tensors, kLastWeights));
    return state;
  }

 private:
  static constexpr std::string_view kBestWeights = "best_weights.";
  static constexpr std::string_view kLastWeights = "last_weights.";
};

}  // namespace regtorch::detail
