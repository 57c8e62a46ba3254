#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "regtorch/training/lr_schedule.hpp"

namespace regtorch::testing {

/// An optimizer with a parameter group for each of the learning rates.
template <class Optimizer = torch::optim::SGD, class Options = torch::optim::SGDOptions>
Optimizer optimizer_of(const std::vector<double>& rates) {
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    groups.emplace_back(std::vector<torch::Tensor>{torch::zeros({2}, torch::requires_grad())});
  }
  Optimizer optimizer(groups, Options(0.5));
  for (std::size_t i = 0; i < rates.size(); ++i) {
    optimizer.param_groups()[i].options().set_lr(rates[i]);
  }
  return optimizer;
}

inline std::vector<double> rates_of(const torch::optim::Optimizer& optimizer) {
  std::vector<double> rates;
  for (const auto& group : optimizer.param_groups()) {
    rates.push_back(group.options().get_lr());
  }
  return rates;
}

/// Takes a schedule to a step.
inline void go_to(LRSchedule& schedule, std::int64_t step,
                  const std::vector<double>& initial_rates) {
  TensorDict state;
  state.insert("last_step", detail::to_tensor(std::vector{step}));
  state.insert("initial_rates", detail::to_tensor(initial_rates));
  schedule.load_state_dict(state);
}

/// Steps a new schedule and checks each group's rate before, between and after `steps` steps.
/// @param initial  each group's rate when the schedule was built
/// @param formula  callable (step, initial) -> rate
template <class Formula>
void check_run(LRSchedule& schedule, const torch::optim::Optimizer& optimizer, std::int64_t steps,
               const std::vector<double>& initial, Formula formula) {
  for (std::int64_t step = 0; step <= steps; ++step) {
    const auto rates = rates_of(optimizer);
    REQUIRE(rates.size() == initial.size());
    for (std::size_t i = 0; i < rates.size(); ++i) {
      CAPTURE(step, i);
      CHECK(rates[i] == Approx(formula(step, initial[i])).epsilon(1e-12).margin(1e-16));
    }
    CHECK(schedule.last_step() == step);
    if (step < steps) {
      schedule.step();
    }
  }
}

}  // namespace regtorch::testing
