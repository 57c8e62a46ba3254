#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/arg.h>

namespace regtorch {

/// Where and how often a Trainer saves all that a fit goes on from.
struct TrainingCheckpointOptions {
  TrainingCheckpointOptions() = default;
  /// @param path  the file, replaced each time
  TrainingCheckpointOptions(std::filesystem::path path)  // NOLINT: checkpoint(path) is the idiom
      : path_(std::move(path)) {}
  /// @param path  the same
  TrainingCheckpointOptions(const char* path) : path_(path) {}  // NOLINT

  /// Empty, the default: nowhere.
  TORCH_ARG(std::filesystem::path, path);
  /// After so many epochs, at least 1, the default; and after the last one.
  TORCH_ARG(std::int64_t, every_n_epochs) = 1;
  /// Within an epoch, after so many batches; 0, the default: not.
  TORCH_ARG(std::int64_t, every_n_batches) = 0;
};

namespace detail {

/// @throws c10::ValueError naming the option that is out of range
inline void check_options(const TrainingCheckpointOptions& options) {
  TORCH_CHECK_VALUE(options.every_n_epochs() >= 1,
                    "Trainer: wanted a checkpoint every_n_epochs of at least 1, got ",
                    options.every_n_epochs());
  TORCH_CHECK_VALUE(options.every_n_batches() >= 0,
                    "Trainer: wanted a checkpoint every_n_batches of at least 0, got ",
                    options.every_n_batches());
}

}  // namespace detail

}  // namespace regtorch
