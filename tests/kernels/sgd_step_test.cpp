#include "regtorch/kernels/sgd_step.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"

namespace sgd_step_test {

using namespace regtorch::kernels;

namespace {

/// The formula of SgdRule, in float64.
void plain(double& p, double g, double& b, const SgdRule& rule) {
  g += rule.decay * p;
  if (rule.momentum != 0) {
    b = rule.momentum * b + rule.gradient * g;
    g = rule.nesterov ? g + rule.momentum * b : b;
  }
  p -= rule.rate * g;
}

double number(std::size_t i, int of) { return std::sin(static_cast<double>(i) * 1.7 + of * 0.9); }

template <class T>
void check(Isa isa, std::int64_t size, const SgdRule& rule) {
  const auto n = static_cast<std::size_t>(size);
  std::vector<T> p(n + 2), g(n + 2), b(n + 2);
  for (std::size_t i = 0; i < n + 2; ++i) {
    p[i] = static_cast<T>(number(i, 0));
    b[i] = static_cast<T>(number(i, 1));
  }
  std::vector<double> p0(p.begin(), p.end()), b0(b.begin(), b.end());
  T* const momentum = rule.momentum == 0 ? nullptr : b.data();
  for (int step = 0; step < 2; ++step) {
    for (std::size_t i = 0; i < n + 2; ++i) {
      g[i] = static_cast<T>(number(i, 3 + step));
    }
    sgd_step(p.data(), g.data(), momentum, 1, size + 1, rule, isa);
    for (std::size_t i = 1; i <= n; ++i) {
      plain(p0[i], static_cast<double>(g[i]), b0[i], rule);
    }
  }
  const double bound = sizeof(T) == 8 ? 1e-14 : 2e-6;
  for (std::size_t i = 0; i < n + 2; ++i) {
    REQUIRE(std::fabs(static_cast<double>(b[i]) - b0[i]) <= bound);
    REQUIRE(std::fabs(static_cast<double>(p[i]) - p0[i]) <= bound);
  }
  REQUIRE(p.front() == static_cast<T>(number(0, 0)));
  REQUIRE(p.back() == static_cast<T>(number(n + 1, 0)));
}

}  // namespace

TEST_CASE("sgd_step is the formula on every instruction set", "[kernels]") {
  const std::vector<SgdRule> rules{{.rate = 0.1},
                                   {.rate = 0.1, .decay = 0.3},
                                   {.rate = 0.1, .momentum = 0.9},
                                   {.rate = 0.1, .momentum = 0.9, .gradient = 0.4, .decay = 0.3},
                                   {.rate = 0.1, .momentum = 0.9, .nesterov = true},
                                   {.rate = 0.1, .momentum = 0.9, .decay = 0.3, .nesterov = true}};
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (const SgdRule& rule : rules) {
      for (std::int64_t size = 0; size <= 33; ++size) {
        check<float>(isa, size, rule);
        check<double>(isa, size, rule);
      }
      check<float>(isa, 1000, rule);
      check<double>(isa, 1000, rule);
    }
  }
}

}  // namespace sgd_step_test
