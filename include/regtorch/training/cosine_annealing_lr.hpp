#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/training/lr_schedule.hpp"

namespace regtorch {

/// How CosineAnnealingLR falls, and whether it warms up first.
struct CosineAnnealingLROptions {
  /// @param t_max  steps from the initial rate down to eta_min, at least 1
  CosineAnnealingLROptions(std::int64_t t_max) : t_max_(t_max) {}  // NOLINT: Options(200) idiom

  /// Steps from the initial rate down to eta_min, at least 1.
  TORCH_ARG(std::int64_t, t_max);
  /// The lowest rate, the same for all groups, at least 0; default 0.
  TORCH_ARG(double, eta_min) = 0;
  /// Steps of linear warm-up before the first of the t_max, at least 0; default 0.
  TORCH_ARG(std::int64_t, warmup_steps) = 0;
  /// The factor of the initial rate that the warm-up begins with, in (0, 1]; default 1/3.
  TORCH_ARG(double, warmup_start_factor) = 1.0 / 3;
};

/// Half a cosine from the initial rate down to eta_min, after a linear warm-up if one is asked for.
///
///     with w = warmup_steps, f = warmup_start_factor:
///     lr_k = lr_initial (f + (1 - f) k / w)                                          for k < w
///     lr_k = eta_min + (lr_initial - eta_min) (1 + cos(pi (k - w) / t_max)) / 2      from then on
///
///     rt::CosineAnnealingLR schedule(optimizer, rt::CosineAnnealingLROptions(200).eta_min(1e-5));
///
/// A whole run has w + t_max steps; after that the rate goes up again along the cosine, as in
/// Python. Equal to torch.optim.lr_scheduler.CosineAnnealingLR, and with a warm-up to
/// SequentialLR([LinearLR(f, total_iters=w), CosineAnnealingLR], [w]). Source: Loshchilov and
/// Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017 (without the restarts).
class CosineAnnealingLR : public LRSchedule {
 public:
  /// @throws c10::ValueError if an option is out of range
  CosineAnnealingLR(torch::optim::Optimizer& optimizer, const CosineAnnealingLROptions& options)
      : LRSchedule(optimizer, cosine(options)) {}

 private:
  static Rate cosine(const CosineAnnealingLROptions& options) {
    TORCH_CHECK_VALUE(options.t_max() >= 1, "CosineAnnealingLR: wanted a t_max of at least 1, got ",
                      options.t_max());
    TORCH_CHECK_VALUE(options.eta_min() >= 0,
                      "CosineAnnealingLR: wanted an eta_min of at least 0, got ",
                      options.eta_min());
    TORCH_CHECK_VALUE(options.warmup_steps() >= 0,
                      "CosineAnnealingLR: wanted warmup_steps of at least 0, got ",
                      options.warmup_steps());
    TORCH_CHECK_VALUE(options.warmup_start_factor() > 0 && options.warmup_start_factor() <= 1,
                      "CosineAnnealingLR: wanted a warmup_start_factor in (0, 1], got ",
                      options.warmup_start_factor());
    return [options](std::int64_t step, double initial) {
      const std::int64_t warmup = options.warmup_steps();
      if (step < warmup) {
        const double done = static_cast<double>(step) / static_cast<double>(warmup);
        return initial * std::lerp(options.warmup_start_factor(), 1.0, done);
      }
      const double done = static_cast<double>(step - warmup) / static_cast<double>(options.t_max());
      const double share = (1 + std::cos(std::numbers::pi * done)) / 2;
      return options.eta_min() + (initial - options.eta_min()) * share;
    };
  }
};

}  // namespace regtorch
