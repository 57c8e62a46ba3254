#include "regtorch/kernels/beta.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "catch.hpp"

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
