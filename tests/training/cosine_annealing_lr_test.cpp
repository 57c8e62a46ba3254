#include "regtorch/training/cosine_annealing_lr.hpp"

#include <numbers>

#include "catch.hpp"
#include "schedules.hpp"

namespace cosine_annealing_lr_test {

using regtorch::testing::check_run;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::go_to;
using regtorch::testing::optimizer_of;
using regtorch::testing::rates_of;

namespace {

/// cos^2(pi x / 2), which is the share that (1 + cos(pi x)) / 2 stands for.
double share(double x) { return std::pow(std::cos(std::numbers::pi * x / 2), 2); }

}  // namespace

TEST_CASE("CosineAnnealingLR has the known values", "[training]") {
  auto optimizer = optimizer_of({0.1});
  rt::CosineAnnealingLR schedule(optimizer, 4);
  const double root = std::sqrt(0.5);
  const std::vector<double> wanted{0.1, 0.05 * (1 + root), 0.05, 0.05 * (1 - root),
                                   0,   0.05 * (1 - root), 0.05};
  check_run(schedule, optimizer, 6, {0.1},
            [&](std::int64_t step, double) { return wanted.at(static_cast<std::size_t>(step)); });
}

TEST_CASE("CosineAnnealingLR follows the formula, beyond t_max too", "[training]") {
  for (const std::int64_t t_max : {1, 2, 7, 500}) {
    for (const double eta_min : {0.0, 1e-3, 0.2}) {  // the last is above one of the rates
      auto optimizer = optimizer_of({0.5, 0.1});
      rt::CosineAnnealingLR schedule(optimizer,
                                     rt::CosineAnnealingLROptions(t_max).eta_min(eta_min));
      check_run(schedule, optimizer, 3 * t_max, {0.5, 0.1}, [&](std::int64_t step, double initial) {
        const double s = share(static_cast<double>(step) / static_cast<double>(t_max));
        return s * initial + (1 - s) * eta_min;
      });
      go_to(schedule, t_max, {0.5, 0.1});
      CHECK(rates_of(optimizer) == std::vector<double>{eta_min, eta_min});  // not only nearly
    }
  }
}

TEST_CASE("CosineAnnealingLR warms up first", "[training]") {
  for (const std::int64_t warmup : {1, 3, 50}) {
    for (const double factor : {1.0 / 3, 0.001, 1.0}) {
      auto optimizer = optimizer_of({0.5, 0.1});
      auto options = rt::CosineAnnealingLROptions(20).eta_min(0.01).warmup_steps(warmup);
      if (factor != 1.0 / 3) {  // the default
        options.warmup_start_factor(factor);
      }
      rt::CosineAnnealingLR schedule(optimizer, options);
      check_run(
          schedule, optimizer, warmup + 20, {0.5, 0.1}, [&](std::int64_t step, double initial) {
            if (step < warmup) {
              const auto rest = static_cast<double>(warmup - step) / static_cast<double>(warmup);
              return initial * (1 - (1 - factor) * rest);
            }
            const double s = share(static_cast<double>(step - warmup) / 20);
            return s * initial + (1 - s) * 0.01;
          });
      go_to(schedule, warmup, {0.5, 0.1});
      CHECK(rates_of(optimizer) == std::vector<double>{0.5, 0.1});
    }
  }
}

TEST_CASE("CosineAnnealingLR wants sensible options", "[training]") {
  auto optimizer = optimizer_of({0.1});
  const auto message = [&](const rt::CosineAnnealingLROptions& options) {
    CHECK_THROWS_AS(rt::CosineAnnealingLR(optimizer, options), c10::ValueError);
    return error_of([&] { rt::CosineAnnealingLR(optimizer, options); });
  };
  using Options = rt::CosineAnnealingLROptions;
  CHECK(contains(message(Options(0)), "wanted a t_max of at least 1, got 0"));
  CHECK(contains(message(Options(5).eta_min(-1)), "wanted an eta_min of at least 0, got -1"));
  CHECK(contains(message(Options(5).eta_min(NAN)), "got nan"));
  CHECK(contains(message(Options(5).eta_min(INFINITY)), "wanted a finite learning rate"));
  CHECK(
      contains(message(Options(5).warmup_steps(-1)), "wanted warmup_steps of at least 0, got -1"));
  CHECK(contains(message(Options(5).warmup_start_factor(0)),
                 "wanted a warmup_start_factor in (0, 1], got 0"));
  CHECK(contains(message(Options(5).warmup_start_factor(1.5)), "got 1.5"));
  CHECK(contains(message(Options(5).warmup_start_factor(NAN)), "got nan"));
  CHECK(rates_of(optimizer) == std::vector<double>{0.1});
}

}  // namespace cosine_annealing_lr_test
