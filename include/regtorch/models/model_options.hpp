#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include <torch/arg.h>

namespace regtorch {

/// What make_model's models have in common; what is left alone is as the model's own options say.
struct ModelOptions {
  /// @param num_classes  at least 1
  ModelOptions(std::int64_t num_classes = 10)  // NOLINT: make_model("cnn", 10) idiom
      : num_classes_(num_classes) {}

  /// Length of the output; default 10.
  TORCH_ARG(std::int64_t, num_classes);
  /// Batch normalization, or none; default the model's own.
  TORCH_ARG(std::optional<bool>, batch_norm);
  /// The dropout rate, in [0, 1); default infinity: the model's own.
  TORCH_ARG(double, dropout) = std::numeric_limits<double>::infinity();
};

}  // namespace regtorch
