#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/training/lr_schedule.hpp"

namespace regtorch {

/// How LinearLR goes up or down.
struct LinearLROptions {
  /// The factor of step 0, in (0, 1]; default 1/3.
  TORCH_ARG(double, start_factor) = 1.0 / 3;
  /// The factor from step total_iters on, in [0, 1]; default 1.
  TORCH_ARG(double, end_factor) = 1;
  /// Steps from one to the other, at least 1; default 5.
  TORCH_ARG(std::int64_t, total_iters) = 5;
};

/// A factor of the initial rate that changes linearly, then stays: with the defaults' end_factor of
/// 1, the linear warm-up.
///
///     lr_k = lr_initial (start_factor + (end_factor - start_factor) min(k / total_iters, 1))
///
///     rt::LinearLR warm_up(optimizer, rt::LinearLROptions().start_factor(0.01).total_iters(500));
///
/// Equal to torch.optim.lr_scheduler.LinearLR. Source of the warm-up: Goyal et al., "Accurate,
/// large minibatch SGD", 2017.
class LinearLR : public LRSchedule {
 public:
  /// @throws c10::ValueError if an option is out of range
  explicit LinearLR(torch::optim::Optimizer& optimizer, const LinearLROptions& options = {})
      : LRSchedule(optimizer, line(options)) {}

 private:
  static Rate line(const LinearLROptions& options) {
    TORCH_CHECK_VALUE(options.start_factor() > 0 && options.start_factor() <= 1,
                      "LinearLR: wanted a start_factor in (0, 1], got ", options.start_factor());
    TORCH_CHECK_VALUE(options.end_factor() >= 0 && options.end_factor() <= 1,
                      "LinearLR: wanted an end_factor in [0, 1], got ", options.end_factor());
    TORCH_CHECK_VALUE(options.total_iters() >= 1,
                      "LinearLR: wanted a total_iters of at least 1, got ", options.total_iters());
    return [options](std::int64_t step, double initial) {
      const auto total = static_cast<double>(options.total_iters());
      const double done = std::min(static_cast<double>(step) / total, 1.0);
      return initial * std::lerp(options.start_factor(), options.end_factor(), done);
    };
  }
};

}  // namespace regtorch
