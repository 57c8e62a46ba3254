#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <c10/util/Exception.h>

#include "regtorch/core/state_values.hpp"
#include "regtorch/core/stateful.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/training/evaluate.hpp"
#include "regtorch/training/history.hpp"
#include "regtorch/training/training_state.hpp"

namespace regtorch::detail {

/// "history.epochs", int64 [n]; "history.names", uint8, each ended by a 0; "history.values",
/// float64 [n]: a line for each metric of each epoch.
inline TensorDict to_tensors(const History& history) {
  std::vector<std::int64_t> epochs;
  std::vector<std::string> names;
  std::vector<double> values;
  for (const auto& epoch : history.epochs) {
    for (const auto& [name, value] : epoch.metrics) {
      epochs.push_back(epoch.epoch);
      names.push_back(name);
      values.push_back(value);
    }
  }
  TensorDict state;
  state.insert("history.epochs", to_tensor(epochs));
  state.insert("history.names", to_tensor(names));
  state.insert("history.values", to_tensor(values));
  return state;
}

/// @throws c10::Error naming an entry that is missing or wrong
inline History history_of(const TensorDict& tensors) {
  const StateReader reader("Trainer", tensors);
  const auto epochs = reader.integers("history.epochs");
  const auto values = reader.doubles("history.values", epochs.size());
  const auto names = reader.texts("history.names", epochs.size());
  History history;
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    if (history.epochs.empty() || history.epochs.back().epoch != epochs[i]) {
      history.epochs.push_back({epochs[i], {}});
    }
    history.epochs.back().metrics.set(names[i], values[i]);
  }
  return history;
}

/// How far a fit is: what none of its pieces knows.
struct FitProgress {
  bool midway = false;  ///< the epoch of the TrainingState has begun, and is not evaluated yet
  bool ended = false;   ///< a callback has ended the training for good
  double seconds = 0;   ///< of training in this epoch, before the fit was resumed
  EvaluationSums sums;  ///< over its batches
  TensorDict batches;   ///< state of the training batches when it began, or the next one will

  /// Call it before the batches' pass begins.
  template <class Batches>
  void begin_epoch(Batches& training_batches) {
    *this = FitProgress();
    midway = true;
    batches = state_of(training_batches);
  }
  template <class Batches>
  void end_epoch(Batches& training_batches) {
    midway = false;
    batches = state_of(training_batches);
  }

  TensorDict to_tensors(const TrainingState& state) const {
    TensorDict tensors;
    tensors.insert("fit", to_tensor(std::vector<std::int64_t>{
                              kVersion, state.epoch, state.step, state.batch, state.batches,
                              state.samples, std::int64_t{midway}, std::int64_t{ended}}));
    tensors.insert("seconds", to_tensor(std::vector{seconds}));
    if (midway) {
      insert_part(tensors, "sums.", sums.state_dict());
    }
    insert_part(tensors, "batches.", batches);
    return tensors;
  }

  /// @throws c10::Error if `tensors` are not what to_tensors() gives, or epochs have another number
  ///         of batches
  void load(const TensorDict& tensors, TrainingState& state) {
    const StateReader reader("Trainer", tensors);
    const auto numbers = reader.counts("fit", 8);
    TORCH_CHECK(numbers[0] == kVersion, "Trainer: wanted a checkpoint of version ", kVersion,
                ", got version ", numbers[0]);
    TORCH_CHECK(state.batches == numbers[4], "Trainer: wanted a fit of ", numbers[4],
                " batches an epoch, as in the checkpoint, got ", state.batches);
    midway = numbers[6] != 0;
    ended = numbers[7] != 0;
    seconds = reader.doubles("seconds", 1)[0];
    if (midway) {
      sums.load_state_dict(part_of(tensors, "sums."));
    }
    batches = part_of(tensors, "batches.");
    state.epoch = numbers[1];
    state.step = numbers[2];
    state.batch = numbers[3];
    state.samples = numbers[5];
    state.stopping = ended;
  }

 private:
  static constexpr std::int64_t kVersion = 1;
};

}  // namespace regtorch::detail
