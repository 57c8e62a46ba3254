#include "regtorch/kernels/beta.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "catch.hpp"

namespace beta_test {

namespace {

/// The share of Beta(a, a) below x, by integration in t = sin^2(u / 2), which has no pole for
/// a >= 1/2 and a weak one below.
double beta_cdf(double a, double x) {
  const auto integral = [&](double end) {
    const int steps = 20000;
    double sum = 0;
    for (int i = 0; i < steps; ++i) {
      const double u = (i + 0.5) / steps * end;
      sum += std::pow(std::sin(u / 2) * std::cos(u / 2), 2 * a - 1) * end / steps;
    }
    return sum;
  };
  return integral(2 * std::asin(std::sqrt(x))) / integral(std::numbers::pi);
}

}  // namespace

TEST_CASE("beta_number: is distributed as Beta(a, a)", "[kernels]") {
  for (const double a : {0.3, 0.5, 1.0, 3.0}) {
    std::vector<double> values;
    for (std::uint64_t i = 0; i < 4000; ++i) {
      rt::kernels::RandomWords random({9, 0, 1}, i);
      values.push_back(rt::kernels::beta_number(a, a, random));
      REQUIRE(values.back() >= 0);
      REQUIRE(values.back() <= 1);
    }
    std::sort(values.begin(), values.end());
    double distance = 0;  // of Kolmogorov and Smirnov, at every 50th value
    for (std::size_t i = 25; i < values.size(); i += 50) {
      distance = std::max(distance,
                          std::abs(beta_cdf(a, values[i]) - (static_cast<double>(i) + 0.5) / 4000));
    }
    INFO("a = " << a);
    CHECK(distance < 1.95 / std::sqrt(4000.0));  // exceeded with probability 0.001
  }
  // Both gammas of Beta(1e-4, 1e-4) underflow: nearly every value is 0 or 1, none is nan.
  double sum = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    rt::kernels::RandomWords random({9, 0, 2}, i);
    sum += rt::kernels::beta_number(1e-4, 1e-4, random);
  }
  CHECK(sum / 1000 == Approx(0.5).margin(0.08));  // five standard deviations
}

TEST_CASE("beta_number: mean, variance and shape at 0.2, 1 and 3", "[kernels]") {
  constexpr int kCount = 20000;
  for (const double a : {0.2, 1.0, 3.0}) {
    std::vector<double> values;
    double sum = 0;
    double squares = 0;
    for (std::uint64_t i = 0; i < kCount; ++i) {
      rt::kernels::RandomWords random({10, 0, 1}, i);
      values.push_back(rt::kernels::beta_number(a, a, random));
      sum += values.back() - 0.5;
      squares += std::pow(values.back() - 0.5, 2);
    }
    INFO("a = " << a);
    const double variance = 1 / (4 * (2 * a + 1));
    // Of (x - 1/2)^2: the fourth central moment is 3 (2a + 1) / (2a + 3) times variance^2.
    const double spread = variance * std::sqrt(3 * (2 * a + 1) / (2 * a + 3) - 1);
    CHECK(std::abs(sum / kCount) < 5 * std::sqrt(variance / kCount));
    CHECK(std::abs(squares / kCount - variance) < 5 * spread / std::sqrt(double{kCount}));
    // The shares below some points, against the integral of t^(a-1) (1-t)^(a-1) to x <= 1/2 with
    // t = v^(1/a), which has no pole at 0.
    const auto integral = [a](double x) {
      const int steps = 20000;
      const double end = std::pow(x, a);
      double area = 0;
      for (int s = 0; s < steps; ++s) {
        area += std::pow(1 - std::pow((s + 0.5) / steps * end, 1 / a), a - 1) * end / steps;
      }
      return area / a;
    };
    for (const double x : {1e-6, 1e-3, 0.05, 0.2, 0.4}) {
      const double wanted = integral(x) / (2 * integral(0.5));
      const auto below =
          std::count_if(values.begin(), values.end(), [x](double v) { return v < x; });
      const auto above =
          std::count_if(values.begin(), values.end(), [x](double v) { return v > 1 - x; });
      const double margin = 5 * std::sqrt(wanted * (1 - wanted) / kCount) + 1.0 / kCount;
      CHECK(static_cast<double>(below) / kCount == Approx(wanted).margin(margin).epsilon(0));
      CHECK(static_cast<double>(above) / kCount == Approx(wanted).margin(margin).epsilon(0));
    }
  }
}

}  // namespace beta_test
