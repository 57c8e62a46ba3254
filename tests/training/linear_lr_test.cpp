#include "regtorch/training/linear_lr.hpp"

#include "catch.hpp"
#include "schedules.hpp"

namespace linear_lr_test {

using regtorch::testing::check_run;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::optimizer_of;
using regtorch::testing::rates_of;

TEST_CASE("LinearLR by default warms up from a third in five steps", "[training]") {
  auto optimizer = optimizer_of({0.3, 0.06});
  rt::LinearLR schedule(optimizer);
  const std::vector<double> fifteenths{5, 7, 9, 11, 13, 15, 15, 15};
  check_run(schedule, optimizer, 7, {0.3, 0.06}, [&](std::int64_t step, double initial) {
    return initial * fifteenths.at(static_cast<std::size_t>(step)) / 15;
  });
  CHECK(rates_of(optimizer) == std::vector<double>{0.3, 0.06});  // not only nearly
}

TEST_CASE("LinearLR goes from any factor to any", "[training]") {
  for (const auto& [start, end] :
       std::vector<std::pair<double, double>>{{1, 0}, {0.01, 1}, {0.9, 0.3}, {1, 1}}) {
    for (const std::int64_t total : {1, 2, 100}) {
      auto optimizer = optimizer_of({0.5, 0.02});
      rt::LinearLR schedule(
          optimizer, rt::LinearLROptions().start_factor(start).end_factor(end).total_iters(total));
      check_run(schedule, optimizer, total + 5, {0.5, 0.02},
                [&](std::int64_t step, double initial) {
                  const auto k = static_cast<double>(std::min(step, total));
                  const auto n = static_cast<double>(total);
                  return initial * (start * (n - k) + end * k) / n;
                });
      CHECK(rates_of(optimizer)[0] == 0.5 * end);
    }
  }
}

TEST_CASE("LinearLR wants sensible options", "[training]") {
  auto optimizer = optimizer_of({0.1});
  const auto message = [&](const rt::LinearLROptions& options) {
    CHECK_THROWS_AS(rt::LinearLR(optimizer, options), c10::ValueError);
    return error_of([&] { rt::LinearLR(optimizer, options); });
  };
  using Options = rt::LinearLROptions;
  CHECK(contains(message(Options().start_factor(0)), "wanted a start_factor in (0, 1], got 0"));
  CHECK(contains(message(Options().start_factor(1.5)), "got 1.5"));
  CHECK(contains(message(Options().start_factor(NAN)), "got nan"));
  CHECK(contains(message(Options().end_factor(-0.5)), "wanted an end_factor in [0, 1], got -0.5"));
  CHECK(contains(message(Options().end_factor(1.25)), "got 1.25"));
  CHECK(contains(message(Options().end_factor(NAN)), "got nan"));
  CHECK(contains(message(Options().total_iters(0)), "wanted a total_iters of at least 1, got 0"));
  CHECK(rates_of(optimizer) == std::vector<double>{0.1});
}

}  // namespace linear_lr_test
