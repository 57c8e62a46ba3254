#include "regtorch/training/piecewise_linear_lr.hpp"

#include "catch.hpp"
#include "schedules.hpp"

namespace piecewise_linear_lr_test {

using regtorch::testing::check_run;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::go_to;
using regtorch::testing::optimizer_of;
using regtorch::testing::rates_of;
using Point = rt::PiecewiseLinearLR::Point;

TEST_CASE("PiecewiseLinearLR goes through its points, and is constant outside", "[training]") {
  auto optimizer = optimizer_of({0.5, 2.0});
  rt::PiecewiseLinearLR schedule(optimizer, {{2, 0.2}, {6, 1}, {7, 3}, {10, 0}});
  const std::vector<double> factors{0.2, 0.2, 0.2, 0.4, 0.6, 0.8, 1, 3, 2, 1, 0, 0, 0};
  check_run(schedule, optimizer, 12, {0.5, 2.0}, [&](std::int64_t step, double initial) {
    return initial * factors.at(static_cast<std::size_t>(step));
  });
  go_to(schedule, 6, {0.5, 2.0});
  CHECK(rates_of(optimizer) == std::vector<double>{0.5, 2.0});  // not only nearly
}

TEST_CASE("PiecewiseLinearLR takes a single point, and many", "[training]") {
  for (const std::int64_t step : {0, 4}) {
    auto optimizer = optimizer_of({0.5, 2.0});
    rt::PiecewiseLinearLR constant(optimizer, {{step, 0.5}});
    check_run(constant, optimizer, 9, {0.5, 2.0},
              [](std::int64_t, double initial) { return initial / 2; });
  }

  std::vector<Point> points;  // a polygon through the squares, from step 0 on
  for (std::int64_t i = 0; i <= 100; ++i) {
    points.push_back({3 * i, static_cast<double>(i * i)});
  }
  auto optimizer = optimizer_of({0.5, 2.0});
  rt::PiecewiseLinearLR squares(optimizer, points);
  check_run(squares, optimizer, 310, {0.5, 2.0}, [](std::int64_t step, double initial) {
    const std::int64_t i = std::min<std::int64_t>(step / 3, 100);
    const std::int64_t rest = i == 100 ? 0 : step % 3;
    return initial * (static_cast<double>(i * i) + static_cast<double>(rest * (2 * i + 1)) / 3);
  });
}

TEST_CASE("PiecewiseLinearLR wants points in order", "[training]") {
  auto optimizer = optimizer_of({0.1});
  const auto message = [&](const std::vector<Point>& points) {
    CHECK_THROWS_AS(rt::PiecewiseLinearLR(optimizer, points), c10::ValueError);
    return error_of([&] { rt::PiecewiseLinearLR(optimizer, points); });
  };
  CHECK(contains(message({}), "wanted at least one point, got none"));
  CHECK(contains(message({{-1, 1}}), "wanted a point at step 0 or later, got -1"));
  CHECK(contains(message({{0, 1}, {5, 1}, {5, 0}}), "wanted a point at step 6 or later, got 5"));
  CHECK(contains(message({{4, 1}, {3, 1}}), "wanted a point at step 5 or later, got 3"));
  CHECK(contains(message({{0, 1}, {3, -0.5}}),
                 "wanted a finite factor of at least 0 at step 3, got -0.5"));
  CHECK(contains(message({{0, 1}, {3, NAN}}), "got nan"));
  CHECK(contains(message({{0, 1}, {3, INFINITY}}), "got inf"));
  CHECK(rates_of(optimizer) == std::vector<double>{0.1});
}

}  // namespace piecewise_linear_lr_test
