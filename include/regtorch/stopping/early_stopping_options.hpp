#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <torch/arg.h>

#include "regtorch/core/monitor_mode.hpp"

namespace regtorch {

/// Why a training was stopped.
enum class StopReason { kNone, kNonFinite, kDivergenceThreshold, kStoppingThreshold, kPatience };

/// "none", "non-finite value", "divergence threshold", "stopping threshold" or "patience".
constexpr const char* to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kNonFinite:
      return "non-finite value";
    case StopReason::kDivergenceThreshold:
      return "divergence threshold";
    case StopReason::kStoppingThreshold:
      return "stopping threshold";
    case StopReason::kPatience:
      return "patience";
    case StopReason::kNone:
      break;
  }
  return "none";
}

/// When EarlyStopping stops, and what it keeps.
struct EarlyStoppingOptions {
  /// The metric that a fit is judged by; default "val_loss".
  TORCH_ARG(std::string, monitor) = "val_loss";
  /// Whether less (default) or more of it is better.
  TORCH_ARG(MonitorMode, mode) = MonitorMode::kMin;
  /// Stops after this many checks in a row that did not beat the best; default 3. With 0, as with
  /// 1, the first such check stops; std::nullopt never does.
  TORCH_ARG(std::optional<std::int64_t>, patience) = 3;
  /// Beating the best means by more than this, at least 0; default 0.
  TORCH_ARG(double, min_delta) = 0;
  /// Stops on NaN and infinity; default true. With false they count as checks without improvement.
  TORCH_ARG(bool, check_finite) = true;
  /// Stops as soon as the value is as good as this; default unset.
  TORCH_ARG(std::optional<double>, stopping_threshold);
  /// Stops as soon as the value is worse than this; default unset.
  TORCH_ARG(std::optional<double>, divergence_threshold);
  /// A value must also beat this, by more than min_delta, to restart the count of patience; default
  /// unset.
  TORCH_ARG(std::optional<double>, baseline);
  /// The first so many epochs count for nothing, not even the best; default 0.
  TORCH_ARG(std::int64_t, start_from_epoch) = 0;
  /// Keeps the best weights and buffers, and puts them back when training ends; default false.
  TORCH_ARG(bool, restore_best_weights) = false;
};

}  // namespace regtorch
