#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>
#include <c10/util/Type.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/schedulers/lr_scheduler.h>
#include <torch/optim/sgd.h>

#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"

namespace regtorch {

namespace detail {

/// The momentum of SGD and RMSprop, beta1 of Adam and AdamW.
/// @throws c10::ValueError for the options of another optimizer
inline double& momentum_of(torch::optim::OptimizerOptions& options) {
  if (auto* sgd = dynamic_cast<torch::optim::SGDOptions*>(&options)) {
    return sgd->momentum();
  }
  if (auto* rmsprop = dynamic_cast<torch::optim::RMSpropOptions*>(&options)) {
    return rmsprop->momentum();
  }
  if (auto* adam = dynamic_cast<torch::optim::AdamOptions*>(&options)) {
    return std::get<0>(adam->betas());
  }
  if (auto* adamw = dynamic_cast<torch::optim::AdamWOptions*>(&options)) {
    return std::get<0>(adamw->betas());
  }
  TORCH_CHECK_VALUE(false,
                    "LRSchedule: wanted an optimizer with a momentum to cycle (the options of SGD, "
                    "RMSprop, Adam or AdamW), got one with ",
                    c10::demangle(typeid(options).name()));
}

}  // namespace detail

/// A learning-rate schedule: each parameter group's rate as a function of the number of steps and
/// of the rate that the group had at first. The named schedules derive from it; any other is one
/// function away:
///
///     lr_k = rate(k, lr_initial)
///
///     rt::LRSchedule schedule(optimizer, [](std::int64_t step, double initial) {
///       return initial / std::sqrt(1.0 + static_cast<double>(step));
///     });
///     optimizer.step();
///     schedule.step();
///
/// As in Python, the constructor sets the rates of step 0, and after k calls of step() the
/// optimizer has those of step k (LibTorch's own StepLR is one call late). If something throws, the
/// optimizer and the position are as they were.
///
/// LibTorch saves no schedule: state_dict() is what a checkpoint keeps of it, and load_state_dict()
/// goes on from there, whatever rates the optimizer had when the schedule was built.
///
/// The optimizer is kept by reference, and must not be moved.
class LRSchedule : public torch::optim::LRScheduler {
 public:
  /// The rate after `step` steps of a parameter group that began with `initial`.
  using Rate = std::function<double(std::int64_t step, double initial)>;
  /// The momentum (of Adam beta1) after `step` steps.
  using Momentum = std::function<double(std::int64_t step)>;

  /// @param optimizer  whose groups' present learning rates are the initial ones
  /// @param rate       the learning rate at a step, counted from 0, for an initial rate
  /// @param momentum   the momentum of SGD and RMSprop, or beta1 of Adam and AdamW, at a step;
  ///                   default none: they are left alone
  /// @throws c10::ValueError if a rate is not finite, here or in a later step, and if there is a
  ///         momentum to set, but not in the optimizer; and what `rate` and `momentum` throw
  LRSchedule(torch::optim::Optimizer& optimizer, Rate rate, Momentum momentum = nullptr)
      : LRScheduler(optimizer),
        optimizer_(optimizer),
        rate_(std::move(rate)),
        momentum_(std::move(momentum)) {
    go_to(0, get_current_lrs());
  }

  /// How many steps were taken: the number of the step whose rates the optimizer has.
  std::int64_t last_step() const { return step_count_; }

  /// "last_step", int64 [1]; "initial_rates", float64 [groups], the rates that it goes by.
  TensorDict state_dict() const {
    TensorDict state;
    state.insert("last_step", detail::to_tensor(std::vector{last_step()}));
    state.insert("initial_rates", detail::to_tensor(initial_rates_));
    return state;
  }

  /// Goes to the step that state_dict() was called at, and sets its rates; the functions are not
  /// part of the state. Call it after the optimizer is loaded.
  /// @throws c10::Error if `state` has other entries, or of another type or shape; c10::ValueError
  ///         if last_step is not in 0 to 2^32 - 1; and what the constructor throws
  void load_state_dict(const TensorDict& state) {
    const detail::StateReader reader("LRSchedule", state);
    const auto step = reader.integers("last_step", 1)[0];
    auto rates = reader.doubles("initial_rates");
    TORCH_CHECK(state.size() == 2,
                "LRSchedule: wanted the entries last_step and initial_rates, got ", state.keys());
    go_to(step, std::move(rates));
  }

 private:
  void go_to(std::int64_t step, std::vector<double> initial_rates) {
    using Limits = std::numeric_limits<decltype(step_count_)>;
    TORCH_CHECK_VALUE(step >= 0 && step <= std::int64_t{Limits::max()},
                      "LRSchedule: wanted a last_step in 0 to ", Limits::max(), ", got ", step);
    const std::vector<double> rates = enter(step, initial_rates);
    auto& groups = optimizer_.param_groups();
    for (std::size_t i = 0; i < groups.size(); ++i) {
      groups[i].options().set_lr(rates[i]);
    }
    step_count_ = static_cast<decltype(step_count_)>(step);
    initial_rates_ = std::move(initial_rates);
  }

  /// LibTorch asks for the rates before it counts the step.
  std::vector<double> get_lrs() final { return enter(last_step() + 1, initial_rates_); }

  /// The rates of a step; sets its momentum, once nothing can throw any more.
  std::vector<double> enter(std::int64_t step, const std::vector<double>& initial_rates) {
    auto& groups = optimizer_.param_groups();
    TORCH_CHECK_VALUE(initial_rates.size() == groups.size(),
                      "LRSchedule: wanted an initial rate for each of the optimizer's ",
                      groups.size(), " parameter groups, got ", initial_rates.size());
    std::vector<double> rates;
    for (const double initial : initial_rates) {
      rates.push_back(rate_(step, initial));
      TORCH_CHECK_VALUE(std::isfinite(rates.back()),
                        "LRSchedule: wanted a finite learning rate for step ", step,
                        " and the initial rate ", initial, ", got ", rates.back());
    }
    if (momentum_) {
      const double momentum = momentum_(step);
      for (auto& group : groups) {
        detail::momentum_of(group.options()) = momentum;
      }
    }
    return rates;
  }

  torch::optim::Optimizer& optimizer_;
  Rate rate_;
  Momentum momentum_;
  std::vector<double> initial_rates_;
};

}  // namespace regtorch
