#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "regtorch/core/metrics.hpp"

namespace regtorch {

/// What a fit measured, epoch by epoch.
struct History {
  /// An epoch's number and metrics.
  struct Epoch {
    std::int64_t epoch;  ///< counted from 1
    Metrics metrics;     ///< those of TrainingState in on_epoch_end
  };
  std::vector<Epoch> epochs;  ///< those that were finished, in order

  /// One metric over all epochs.
  /// @throws c10::ValueError if an epoch lacks it; the message lists those there are
  std::vector<double> metric(const std::string& name) const {
    std::vector<double> values;
    values.reserve(epochs.size());
    for (const auto& epoch : epochs) {
      values.push_back(epoch.metrics.at(name));
    }
    return values;
  }
};

}  // namespace regtorch
