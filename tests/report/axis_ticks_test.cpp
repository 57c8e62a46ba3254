#include "regtorch/report/axis_ticks.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"

namespace axis_ticks_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using rt::report::axis_ticks;
using rt::report::AxisTicks;
using Labels = std::vector<std::string>;

namespace {

/// The digits of the step, as it must be read off the labels: "0.2" and "0.4" give "2".
std::string step_digits(const AxisTicks& ticks) {
  const double step =
      (ticks.values.back() - ticks.values.front()) / static_cast<double>(ticks.values.size() - 1);
  return c10::str(std::round(step / std::pow(10, std::floor(std::log10(step) + 1e-6))));
}

}  // namespace

TEST_CASE("ticks are the usual ones", "[report]") {
  CHECK(axis_ticks(0.215, 1.509, 8).labels ==
        Labels{"0.2", "0.4", "0.6", "0.8", "1.0", "1.2", "1.4", "1.6"});
  CHECK(axis_ticks(1, 51, 10).labels ==
        Labels{"0", "5", "10", "15", "20", "25", "30", "35", "40", "45", "50", "55"});
  CHECK(axis_ticks(-3, 7, 5).labels == Labels{"-4", "-2", "0", "2", "4", "6", "8"});
  CHECK(axis_ticks(0, 1, 4).values == std::vector<double>{0, 0.5, 1});
  // 0.6 / 0.2 is less than 3 and 1.1 / 0.1 is more than 11: neither may add a tick.
  CHECK(axis_ticks(0.6, 1.0, 2).labels == Labels{"0.6", "0.8", "1.0"});
  CHECK(axis_ticks(0.9, 1.1, 2).labels == Labels{"0.9", "1.0", "1.1"});
  CHECK(axis_ticks(0.6, 1.0, 2).values == std::vector<double>{0.6, 0.8, 1.0});
}

TEST_CASE("labels of large and small numbers share one power of ten", "[report]") {
  CHECK(axis_ticks(0, 1.4e12, 3).labels == Labels{"0", "0.5e12", "1.0e12", "1.5e12"});
  CHECK(axis_ticks(2e-12, 4e-12, 2).labels == Labels{"2e-12", "3e-12", "4e-12"});
  CHECK(axis_ticks(0, 999999, 2).labels == Labels{"0", "0.5e6", "1.0e6"});
  CHECK(axis_ticks(0, 99999, 2).labels == Labels{"0", "50000", "100000"});
  CHECK(axis_ticks(0.001, 0.002, 2).labels == Labels{"0.0010", "0.0015", "0.0020"});
  CHECK(axis_ticks(0, 0.0002, 2).labels == Labels{"0", "1e-4", "2e-4"});
}

TEST_CASE("ticks cover the range in round steps, and their labels are their values", "[report]") {
  for (int exponent = -280; exponent <= 299; exponent += 3) {
    for (const auto& [a, b] : std::vector<std::pair<double, double>>{
             {0, 1}, {0.3, 0.7}, {-1.7, 2.9}, {-9.99, -1.01}, {3, 3.0001}, {0.9999, 9.0001}}) {
      for (const int steps : {1, 3, 8, 10}) {
        const double scale = std::pow(10.0, exponent);
        const auto ticks = axis_ticks(a * scale, b * scale, steps);
        CAPTURE(a, b, exponent, steps, ticks.labels);
        REQUIRE(ticks.values.size() == ticks.labels.size());
        REQUIRE(ticks.values.size() >= 2);
        CHECK(ticks.values.size() <= static_cast<std::size_t>(steps) + 2);
        // Within rounding, they reach past both ends, and by less than a step.
        const double step = ticks.values[1] - ticks.values[0];
        const double below = (a * scale - ticks.values.front()) / step;
        const double above = (ticks.values.back() - b * scale) / step;
        CHECK((below > -2e-6 && below < 1));
        CHECK((above > -2e-6 && above < 1));
        CHECK(std::set<std::string>{"1", "2", "5"}.count(step_digits(ticks)) == 1);
        CHECK(std::set(ticks.labels.begin(), ticks.labels.end()).size() == ticks.labels.size());
        for (std::size_t i = 0; i < ticks.values.size(); ++i) {
          CHECK(std::strtod(ticks.labels[i].c_str(), nullptr) ==
                Approx(ticks.values[i]).epsilon(1e-12).scale(0));
        }
      }
    }
  }
}

TEST_CASE("a range that is too narrow for labels is widened", "[report]") {
  CHECK(axis_ticks(0.5, 0.5, 8).labels == Labels{"0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"});
  CHECK(axis_ticks(-4, -4, 4).labels == Labels{"-6", "-5", "-4", "-3", "-2"});
  CHECK(axis_ticks(0, 0, 2).labels == Labels{"0.0", "0.5", "1.0"});
  CHECK(axis_ticks(1, 1 + 1e-9, 2).labels == Labels{"0.5", "1.0", "1.5"});
  CHECK(axis_ticks(1, 1 + 2e-6, 2).labels == Labels{"1.000000", "1.000001", "1.000002"});
  CHECK(axis_ticks(0, std::numeric_limits<double>::denorm_min(), 1).values ==
        std::vector<double>{0, 1});
}

TEST_CASE("an axis of whole numbers has no others", "[report]") {
  CHECK(axis_ticks(1, 3, 10, /*whole=*/true).labels == Labels{"1", "2", "3"});
  CHECK(axis_ticks(1, 1, 10, true).labels == Labels{"0", "1", "2"});
  CHECK(axis_ticks(1, 15, 10, true).labels ==
        Labels{"0", "2", "4", "6", "8", "10", "12", "14", "16"});
}

TEST_CASE("ranges without ticks are refused", "[report]") {
  for (const double bad : {std::nan(""), double{INFINITY}, 1.1e300}) {
    CHECK(contains(error_of([&] { axis_ticks(0, bad, 5); }), "axis_ticks: wanted a range"));
    CHECK(contains(error_of([&] { axis_ticks(-bad, 0, 5); }), "axis_ticks: wanted a range"));
  }
  CHECK(contains(error_of([] { axis_ticks(2, 1, 5); }), "got [2, 1]"));
  CHECK(contains(error_of([] { axis_ticks(1, 2, 0); }), "at least 1 step, got 0"));
}

}  // namespace axis_ticks_test
