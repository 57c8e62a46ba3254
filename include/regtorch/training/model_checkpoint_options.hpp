#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/core/monitor_mode.hpp"

namespace regtorch {

/// Which epochs' weights ModelCheckpoint keeps, and where.
struct ModelCheckpointOptions {
  /// @param path_pattern  see below
  explicit ModelCheckpointOptions(std::filesystem::path path_pattern)
      : path_pattern_(std::move(path_pattern)) {}

  /// The file's path. Its name may have placeholders for the epoch and for metrics, with formats as
  /// in Python: "runs/cnn-{epoch:03}-{val_loss:.4f}.pt". "{{" and "}}" stand for braces.
  TORCH_ARG(std::filesystem::path, path_pattern);
  /// The metric that epochs are judged by; default "val_loss".
  TORCH_ARG(std::string, monitor) = "val_loss";
  /// Whether less (default) or more of it is better.
  TORCH_ARG(MonitorMode, mode) = MonitorMode::kMin;
  /// How many files are kept, those of the best epochs, at least 1; default 1. std::nullopt keeps
  /// every one and judges none.
  TORCH_ARG(std::optional<std::int64_t>, save_top_k) = 1;
  /// Of epochs n, 2n, 3n ... alone; at least 1, the default.
  TORCH_ARG(std::int64_t, every_n_epochs) = 1;
  /// Only of epochs that are better than this; default unset.
  TORCH_ARG(std::optional<double>, initial_value_threshold);
  /// NaN and infinity are errors; default true. With false such an epoch is not saved.
  TORCH_ARG(bool, check_finite) = true;
};

namespace detail {

/// @throws c10::ValueError naming the option that is out of range
inline void check_options(const ModelCheckpointOptions& options) {
  const auto& threshold = options.initial_value_threshold();
  TORCH_CHECK_VALUE(options.save_top_k().value_or(1) >= 1,
                    "ModelCheckpoint: wanted a save_top_k of at least 1, or std::nullopt to keep "
                    "every file, got ",
                    options.save_top_k().value_or(1));
  TORCH_CHECK_VALUE(options.every_n_epochs() >= 1,
                    "ModelCheckpoint: wanted an every_n_epochs of at least 1, got ",
                    options.every_n_epochs());
  TORCH_CHECK_VALUE(!std::isnan(threshold.value_or(0)),
                    "ModelCheckpoint: wanted a number as initial_value_threshold, got nan");
  TORCH_CHECK_VALUE(!threshold.has_value() || options.save_top_k().has_value(),
                    "ModelCheckpoint: wanted a save_top_k with the initial_value_threshold ",
                    threshold.value_or(0), ": without one no epoch is judged");
}

}  // namespace detail

}  // namespace regtorch
