#pragma once

#include <cstdint>

#include "regtorch/core/metrics.hpp"

namespace torch::nn {
class Module;
}
namespace torch::optim {
class Optimizer;
}

namespace regtorch {

/// What a callback sees of a running fit.
struct TrainingState {
  /// What is trained, and by what.
  /// @{
  torch::nn::Module& model;
  torch::optim::Optimizer& optimizer;
  /// @}
  std::int64_t epochs = 0;   ///< how many were asked for
  std::int64_t epoch = 0;    ///< the current one, counted from 1; 0 in on_fit_begin
  std::int64_t step = 0;     ///< optimizer steps taken since the fit began
  std::int64_t batch = 0;    ///< batches of this epoch that are done
  std::int64_t batches = 0;  ///< batches of an epoch; 0 if the range has no size()
  std::int64_t samples = 0;  ///< training samples of this epoch that are done
  bool stopping = false;     ///< a callback has asked for the end of the fit

  /// By name. In on_batch_end: train_loss and train_accuracy of the batch, and lr. From
  /// on_epoch_end on: those of the epoch, and with validation data val_loss and val_accuracy;
  /// train_seconds and val_seconds. Losses are means over samples, accuracies in [0, 1].
  Metrics metrics = {};
};

}  // namespace regtorch
