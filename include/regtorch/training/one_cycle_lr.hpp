#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/training/lr_schedule.hpp"

namespace regtorch {

/// Along half a cosine, or straight.
enum class AnnealStrategy { kCos, kLinear };

/// The shape of OneCycleLR's cycle.
struct OneCycleLROptions {
  /// @param max_lr       the highest rate, of all groups, above 0
  /// @param total_steps  steps of the whole run, at least 1
  OneCycleLROptions(double max_lr, std::int64_t total_steps)
      : max_lr_(max_lr), total_steps_(total_steps) {}

  /// The highest rate, of all groups, above 0.
  TORCH_ARG(double, max_lr);
  /// Steps of the whole run, at least 1.
  TORCH_ARG(std::int64_t, total_steps);
  /// Share of the steps in which the rate rises, in [0, 1]; default 0.3.
  TORCH_ARG(double, pct_start) = 0.3;
  /// How it rises and falls; default kCos.
  TORCH_ARG(AnnealStrategy, anneal_strategy) = AnnealStrategy::kCos;
  /// Lets the momentum (SGD, RMSprop) or beta1 (Adam, AdamW) fall while the rate rises, and rise
  /// while it falls; default true.
  TORCH_ARG(bool, cycle_momentum) = true;
  /// The lowest momentum, in [0, 1); default 0.85.
  TORCH_ARG(double, base_momentum) = 0.85;
  /// The highest momentum, in [0, 1); default 0.95.
  TORCH_ARG(double, max_momentum) = 0.95;
  /// max_lr over the first rate, above 0; default 25.
  TORCH_ARG(double, div_factor) = 25;
  /// The first rate over the last, above 0; default 10,000.
  TORCH_ARG(double, final_div_factor) = 1e4;
  /// Falls to the first rate in as many steps as it rose, and then to the last; default false:
  /// falls to the last at once.
  TORCH_ARG(bool, three_phase) = false;
};

/// The 1cycle policy: the rate rises to max_lr and falls to nearly nothing, and the momentum does
/// the opposite.
///
///     T = total_steps, p = pct_start, first = max_lr / div_factor, last = first / final_div_factor
///     lr:        first -> max_lr -> last                       momentum: max -> base -> max
///     at steps:  0        p T - 1   T - 1
///     with three_phase:
///     lr:        first -> max_lr -> first -> last              momentum: max -> base -> max -> max
///     at steps:  0        p T - 1   2 p T - 2  T - 1
///
///     from a at step i to b at step j, with d = (k - i) / (j - i):
///     kCos: b + (a - b) (1 + cos(pi d)) / 2                    kLinear: a + (b - a) d
///
///     rt::OneCycleLR schedule(optimizer, rt::OneCycleLROptions(0.1, epochs * batches.size()));
///
/// The rates of the optimizer's groups do not matter, and its momentum neither. The T-th call of
/// step(), after the last optimizer step of the run, is allowed, and what it sets (the formula for
/// k = T) is not meant for use. A phase of no length is at its end.
///
/// Equal to torch.optim.lr_scheduler.OneCycleLR. Source: Smith and Topin, "Super-convergence: very
/// fast training of neural networks using large learning rates", 2018.
class OneCycleLR : public LRSchedule {
 public:
  /// @throws c10::ValueError if an option is out of range, if the momentum is to be cycled and the
  ///         optimizer has none (wanted SGD, RMSprop, Adam or AdamW), and by step() beyond
  ///         total_steps
  OneCycleLR(torch::optim::Optimizer& optimizer, const OneCycleLROptions& options)
      : LRSchedule(optimizer, rate(options),
                   options.cycle_momentum() ? momentum(options) : nullptr) {}

 private:
  /// A value that goes from `first` by way of `top` to `last`.
  class Cycle {
   public:
    Cycle(const OneCycleLROptions& options, double first, double top, double last)
        : total_steps_(options.total_steps()), strategy_(options.anneal_strategy()) {
      const auto total = static_cast<double>(total_steps_);
      const double rising = options.pct_start() * total;
      knots_ = {{0, first}, {rising - 1, top}};
      if (options.three_phase()) {
        knots_.push_back({2 * rising - 2, first});
      }
      knots_.push_back({total - 1, last});
    }

    double operator()(std::int64_t step) const {
      TORCH_CHECK_VALUE(step <= total_steps_, "OneCycleLR: wanted at most total_steps (",
                        total_steps_, ") steps, got to step ", step);
      const auto now = static_cast<double>(step);
      std::size_t i = 1;
      while (i + 1 < knots_.size() && now > knots_[i].step) {
        ++i;
      }
      const Knot& from = knots_[i - 1];
      const Knot& to = knots_[i];
      const double length = to.step - from.step;
      const double done = length == 0 ? 1 : (now - from.step) / length;
      return strategy_ == AnnealStrategy::kLinear
                 ? from.value + (to.value - from.value) * done
                 : to.value + (from.value - to.value) / 2 * (1 + std::cos(std::numbers::pi * done));
    }

   private:
    struct Knot {
      double step;
      double value;
    };

    std::int64_t total_steps_;
    AnnealStrategy strategy_;
    std::vector<Knot> knots_;
  };

  static Rate rate(const OneCycleLROptions& options) {
    check(options);
    const double first = options.max_lr() / options.div_factor();
    const Cycle cycle(options, first, options.max_lr(), first / options.final_div_factor());
    return [cycle](std::int64_t step, double /*initial*/) { return cycle(step); };
  }

  static Momentum momentum(const OneCycleLROptions& options) {
    return Cycle(options, options.max_momentum(), options.base_momentum(), options.max_momentum());
  }

  static void check(const OneCycleLROptions& options) {
    const auto above_0 = [](const char* name, double value) {
      TORCH_CHECK_VALUE(value > 0, "OneCycleLR: wanted a ", name, " above 0, got ", value);
    };
    const auto momentum = [](const char* name, double value) {
      TORCH_CHECK_VALUE(value >= 0 && value < 1, "OneCycleLR: wanted a ", name, " in [0, 1), got ",
                        value);
    };
    above_0("max_lr", options.max_lr());
    TORCH_CHECK_VALUE(options.total_steps() >= 1,
                      "OneCycleLR: wanted total_steps of at least 1, got ", options.total_steps());
    TORCH_CHECK_VALUE(options.pct_start() >= 0 && options.pct_start() <= 1,
                      "OneCycleLR: wanted a pct_start in [0, 1], got ", options.pct_start());
    momentum("base_momentum", options.base_momentum());
    momentum("max_momentum", options.max_momentum());
    above_0("div_factor", options.div_factor());
    above_0("final_div_factor", options.final_div_factor());
  }
};

}  // namespace regtorch
