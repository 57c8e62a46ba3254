#include "regtorch/training/one_cycle_lr.hpp"

#include <numbers>

#include "catch.hpp"
#include "schedules.hpp"

namespace one_cycle_lr_test {

using regtorch::testing::check_run;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::go_to;
using regtorch::testing::optimizer_of;
using regtorch::testing::rates_of;
using Options = rt::OneCycleLROptions;
using Rates = std::vector<double>;

namespace {

double cosine(double from, double to, double done) {
  const double share = std::pow(std::sin(std::numbers::pi * done / 2), 2);
  return from * (1 - share) + to * share;
}
double line(double from, double to, double done) { return from * (1 - done) + to * done; }

double momentum_of(torch::optim::SGD& optimizer, std::size_t group) {
  return static_cast<torch::optim::SGDOptions&>(optimizer.param_groups()[group].options())
      .momentum();
}

/// Runs SGD through a cycle of 21 steps, 5 of them rising (pct_start 6/21).
template <class Anneal>
void check_cycle(const Options& options, double base, double max, Anneal anneal) {
  auto optimizer = optimizer_of({0.5, 0.02});
  rt::OneCycleLR schedule(optimizer, options);
  const double peak = options.max_lr();
  const double first = peak / options.div_factor();
  const double last = first / options.final_div_factor();
  for (int step = 0; step < 21; ++step) {
    const auto through = [&](double bottom, double top, double end) {
      if (step <= 5) {
        return anneal(bottom, top, step / 5.0);
      }
      if (!options.three_phase()) {
        return anneal(top, end, (step - 5) / 15.0);
      }
      return step <= 10 ? anneal(top, bottom, (step - 5) / 5.0)
                        : anneal(bottom, end, (step - 10) / 10.0);
    };
    CAPTURE(step);
    CHECK(rates_of(optimizer)[0] ==
          Approx(through(first, peak, last)).epsilon(1e-12).margin(1e-15 * peak));
    CHECK(rates_of(optimizer)[1] == rates_of(optimizer)[0]);
    CHECK(momentum_of(optimizer, 0) == Approx(through(max, base, max)).epsilon(1e-13));
    CHECK(momentum_of(optimizer, 1) == momentum_of(optimizer, 0));
    CHECK(schedule.last_step() == step);
    schedule.step();
  }
  CHECK(schedule.last_step() == 21);
}

}  // namespace

TEST_CASE("OneCycleLR rises, falls, and cycles the momentum", "[training]") {
  const auto options = [](double max_lr) { return Options(max_lr, 21).pct_start(6.0 / 21); };
  check_cycle(options(0.8), 0.85, 0.95, cosine);
  check_cycle(options(3.0).three_phase(true), 0.85, 0.95, cosine);
  const auto linear = rt::AnnealStrategy::kLinear;
  check_cycle(options(0.8).anneal_strategy(linear), 0.85, 0.95, line);
  check_cycle(options(0.8).anneal_strategy(linear).three_phase(true), 0.85, 0.95, line);
  check_cycle(
      options(1e-3).div_factor(4).final_div_factor(100).base_momentum(0.1).max_momentum(0.6), 0.1,
      0.6, cosine);
}

TEST_CASE("OneCycleLR's defaults", "[training]") {
  const Options options(0.1, 10);
  CHECK(options.pct_start() == 0.3);
  CHECK(options.anneal_strategy() == rt::AnnealStrategy::kCos);
  CHECK(options.cycle_momentum());
  CHECK(options.div_factor() == 25);
  CHECK(options.final_div_factor() == 1e4);
  CHECK_FALSE(options.three_phase());
}

TEST_CASE("OneCycleLR cycles beta1 of Adam", "[training]") {
  auto optimizer = optimizer_of<torch::optim::Adam, torch::optim::AdamOptions>({0.5, 0.02});
  rt::OneCycleLR schedule(optimizer, Options(0.1, 10));
  const auto betas = [&](std::size_t group) {
    return static_cast<torch::optim::AdamOptions&>(optimizer.param_groups()[group].options())
        .betas();
  };
  const std::vector<double> rising{0.95, 0.9, 0.85};  // to step 2 = 0.3 * 10 - 1
  for (int step = 0; step < 10; ++step) {
    const auto i = static_cast<std::size_t>(step);
    const double wanted = step <= 2 ? rising[i] : cosine(0.85, 0.95, (step - 2) / 7.0);
    for (const std::size_t group : {0, 1}) {
      CHECK(std::get<0>(betas(group)) == Approx(wanted).epsilon(1e-13));
      CHECK(std::get<1>(betas(group)) == 0.999);
    }
    schedule.step();
  }
}

TEST_CASE("OneCycleLR leaves the momentum alone if told to", "[training]") {
  auto optimizer = optimizer_of<torch::optim::Adagrad, torch::optim::AdagradOptions>({0.5});
  CHECK_THROWS_AS(rt::OneCycleLR(optimizer, Options(1, 10)), c10::ValueError);
  CHECK(contains(error_of([&] { rt::OneCycleLR(optimizer, Options(1, 10)); }),
                 "wanted an optimizer with a momentum"));
  CHECK(rates_of(optimizer) == Rates{0.5});
  rt::OneCycleLR without(optimizer, Options(1, 10).cycle_momentum(false));
  CHECK(rates_of(optimizer)[0] == Approx(0.04));

  auto sgd = optimizer_of({0.5});
  rt::OneCycleLR schedule(sgd, Options(1, 10).cycle_momentum(false));
  schedule.step();
  CHECK(momentum_of(sgd, 0) == 0);
}

TEST_CASE("OneCycleLR takes total_steps steps and no more", "[training]") {
  for (const std::int64_t total : {1, 2, 10}) {
    auto optimizer = optimizer_of({0.5});
    rt::OneCycleLR schedule(optimizer, Options(1, total));
    for (std::int64_t step = 0; step < total; ++step) {
      schedule.step();
    }
    const auto rates = rates_of(optimizer);
    const double momentum = momentum_of(optimizer, 0);
    CHECK_THROWS_AS(schedule.step(), c10::ValueError);
    CHECK(contains(
        error_of([&] { schedule.step(); }),
        c10::str("wanted at most total_steps (", total, ") steps, got to step ", total + 1)));
    CHECK(schedule.last_step() == total);
    CHECK(rates_of(optimizer) == rates);
    CHECK(momentum_of(optimizer, 0) == momentum);
    CHECK_THROWS_AS(go_to(schedule, total + 1, {0.5}), c10::ValueError);
    go_to(schedule, total - 1, {0.5});
    CHECK(rates_of(optimizer)[0] == Approx(1 / 25e4).epsilon(1e-9));
    CHECK(momentum_of(optimizer, 0) == Approx(0.95));
  }
}

TEST_CASE("a phase of OneCycleLR that has no length is at its end", "[training]") {
  // Python divides by zero in these three.
  auto optimizer = optimizer_of({0.5});
  rt::OneCycleLR no_rise(optimizer, Options(1, 10).pct_start(0.1));
  check_run(no_rise, optimizer, 9, {0.5}, [](std::int64_t step, double) {
    return cosine(1, 4e-6, static_cast<double>(step) / 9);
  });
  rt::OneCycleLR no_fall(optimizer, Options(1, 10).pct_start(1));
  check_run(no_fall, optimizer, 10, {0.5}, [](std::int64_t step, double) {
    return step == 10 ? 4e-6 : cosine(0.04, 1, static_cast<double>(step) / 9);
  });
  rt::OneCycleLR single(optimizer, Options(1, 1).pct_start(1));
  CHECK(rates_of(optimizer) == Rates{1});
}

TEST_CASE("OneCycleLR wants sensible options", "[training]") {
  auto optimizer = optimizer_of({0.1});
  const auto message = [&](const Options& options) {
    CHECK_THROWS_AS(rt::OneCycleLR(optimizer, options), c10::ValueError);
    return error_of([&] { rt::OneCycleLR(optimizer, options); });
  };
  const Options good(1, 10);
  CHECK(contains(message(Options(0, 10)), "wanted a max_lr above 0, got 0"));
  CHECK(contains(message(Options(NAN, 10)), "got nan"));
  CHECK(contains(message(Options(INFINITY, 10)), "wanted a finite learning rate"));
  CHECK(contains(message(Options(1, 0)), "wanted total_steps of at least 1, got 0"));
  CHECK(contains(message(Options(good).pct_start(-0.5)), "wanted a pct_start in [0, 1], got -0.5"));
  CHECK(contains(message(Options(good).pct_start(1.5)), "got 1.5"));
  CHECK(contains(message(Options(good).pct_start(NAN)), "got nan"));
  CHECK(contains(message(Options(good).base_momentum(-0.5)),
                 "wanted a base_momentum in [0, 1), got -0.5"));
  CHECK(contains(message(Options(good).base_momentum(NAN)), "got nan"));
  CHECK(contains(message(Options(good).max_momentum(1)), "wanted a max_momentum in [0, 1), got 1"));
  CHECK(contains(message(Options(good).div_factor(0)), "wanted a div_factor above 0, got 0"));
  CHECK(contains(message(Options(good).final_div_factor(-1)),
                 "wanted a final_div_factor above 0, got -1"));
  CHECK(rates_of(optimizer) == Rates{0.1});
}

}  // namespace one_cycle_lr_test
