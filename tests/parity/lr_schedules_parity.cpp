// The C++ side of lr_schedules_parity_test.py, which compares it with Python.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "commands.hpp"
#include "regtorch/training/cosine_annealing_lr.hpp"
#include "regtorch/training/linear_lr.hpp"
#include "regtorch/training/one_cycle_lr.hpp"
#include "regtorch/training/piecewise_linear_lr.hpp"

namespace regtorch::parity {

namespace {

/// What a line says.
struct Run {
  explicit Run(const std::string& line) {
    std::istringstream words(line);
    words >> schedule >> optimizer >> steps;
    for (std::string word; words >> word;) {
      if (const auto equals = word.find('='); equals != std::string::npos) {
        options[word.substr(0, equals)] = std::stod(word.substr(equals + 1));
      } else {
        const auto colon = word.find(':');
        points.push_back({std::stoll(word), std::stod(word.substr(colon + 1))});
      }
    }
  }

  double at(const std::string& name) const { return options.at(name); }
  std::int64_t count(const std::string& name) const { return std::llround(options.at(name)); }

  /// Calls set(value) if the run names the option; if not, regtorch's default is compared.
  template <class Set>
  void pass(const std::string& name, Set set) const {
    if (options.contains(name)) {
      set(options.at(name));
    }
  }

  std::string schedule;
  std::string optimizer;
  std::int64_t steps = 0;
  std::map<std::string, double> options;
  std::vector<PiecewiseLinearLR::Point> points;
};

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const std::string& name) {
  using namespace torch::optim;
  const auto parameters = [] {
    return std::vector<torch::Tensor>{torch::zeros({1}, torch::requires_grad())};
  };
  const std::vector<OptimizerParamGroup> groups{OptimizerParamGroup(parameters()),
                                                OptimizerParamGroup(parameters())};
  std::unique_ptr<Optimizer> optimizer;
  if (name == "SGD") {
    optimizer = std::make_unique<SGD>(groups, SGDOptions(0.1).momentum(0.9));
  } else if (name == "RMSprop") {
    optimizer = std::make_unique<RMSprop>(groups, RMSpropOptions(0.1).momentum(0.9));
  } else if (name == "Adam") {
    optimizer = std::make_unique<Adam>(groups, AdamOptions(0.1));
  } else {
    optimizer = std::make_unique<AdamW>(groups, AdamWOptions(0.1));
  }
  optimizer->param_groups()[1].options().set_lr(0.003);
  return optimizer;
}

std::unique_ptr<LRSchedule> make_schedule(torch::optim::Optimizer& optimizer, const Run& run) {
  if (run.schedule == "linear") {
    LinearLROptions options;
    run.pass("start_factor", [&](double x) { options.start_factor(x); });
    run.pass("end_factor", [&](double x) { options.end_factor(x); });
    run.pass("total_iters", [&](double x) { options.total_iters(std::llround(x)); });
    return std::make_unique<LinearLR>(optimizer, options);
  }
  if (run.schedule == "cosine") {
    CosineAnnealingLROptions options(run.count("t_max"));
    run.pass("eta_min", [&](double x) { options.eta_min(x); });
    run.pass("warmup_steps", [&](double x) { options.warmup_steps(std::llround(x)); });
    run.pass("warmup_start_factor", [&](double x) { options.warmup_start_factor(x); });
    return std::make_unique<CosineAnnealingLR>(optimizer, options);
  }
  if (run.schedule == "one_cycle") {
    OneCycleLROptions options(run.at("max_lr"), run.count("total_steps"));
    run.pass("pct_start", [&](double x) { options.pct_start(x); });
    run.pass("linear", [&](double) { options.anneal_strategy(AnnealStrategy::kLinear); });
    run.pass("cycle_momentum", [&](double x) { options.cycle_momentum(x != 0); });
    run.pass("base_momentum", [&](double x) { options.base_momentum(x); });
    run.pass("max_momentum", [&](double x) { options.max_momentum(x); });
    run.pass("div_factor", [&](double x) { options.div_factor(x); });
    run.pass("final_div_factor", [&](double x) { options.final_div_factor(x); });
    run.pass("three_phase", [&](double x) { options.three_phase(x != 0); });
    return std::make_unique<OneCycleLR>(optimizer, options);
  }
  return std::make_unique<PiecewiseLinearLR>(optimizer, run.points);
}

void print_values(torch::optim::Optimizer& optimizer) {
  auto& groups = optimizer.param_groups();
  for (auto& group : groups) {
    std::printf("%.17g ", group.options().get_lr());
  }
  for (auto& group : groups) {
    std::printf("%.17g ", detail::momentum_of(group.options()));
  }
  std::puts("");
}

void make(const Run& run) {
  const auto optimizer = make_optimizer(run.optimizer);
  const auto schedule = make_schedule(*optimizer, run);
  print_values(*optimizer);
  for (std::int64_t step = 0; step < run.steps; ++step) {
    try {
      schedule->step();
    } catch (const c10::ValueError&) {
      std::puts("error");
      break;
    }
    print_values(*optimizer);
  }
  std::puts("");
}

}  // namespace

/// A line is SCHEDULE OPTIMIZER STEPS [OPTION=NUMBER | STEP:FACTOR]..., for example
///     cosine SGD 20 t_max=10 eta_min=0.001
/// and is answered by a line with the two groups' learning rates and momenta for each of the
/// STEPS + 1 positions, or with 'error' where a step is refused, and an empty line.
void lr_schedules(const Arguments& /*arguments*/) {
  for (std::string line; std::getline(std::cin, line);) {
    make(Run(line));
  }
}

}  // namespace regtorch::parity
