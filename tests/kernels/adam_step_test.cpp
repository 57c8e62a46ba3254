#include "regtorch/kernels/adam_step.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"

namespace adam_step_test {

using namespace regtorch::kernels;

namespace {

/// The formula of AdamRule, in float64.
void plain(double& p, double g, double& m, double& v, const AdamRule& rule) {
  g += rule.decay * p;
  m = rule.beta1 * m + rule.gradient1 * g;
  v = rule.beta2 * v + rule.gradient2 * g * g;
  p = rule.keep * p - rule.rate * m / (rule.scale * std::sqrt(v) + rule.eps);
}

double number(std::size_t i, int of) { return std::sin(static_cast<double>(i) * 1.7 + of * 0.9); }

template <class T>
void check(Isa isa, std::int64_t size, const AdamRule& rule) {
  // Exactly as much memory as promised, on the heap, so that a sanitizer sees an overrun; begin and
  // end within it, so that neighbours are seen to stay.
  const auto n = static_cast<std::size_t>(size);
  std::vector<T> p(n + 2), g(n + 2), m(n + 2), v(n + 2);
  for (std::size_t i = 0; i < n + 2; ++i) {
    p[i] = static_cast<T>(number(i, 0));
    m[i] = static_cast<T>(number(i, 1));
    v[i] = static_cast<T>(std::fabs(number(i, 2)));
  }
  std::vector<double> p0(p.begin(), p.end()), m0(m.begin(), m.end()), v0(v.begin(), v.end());
  for (int step = 0; step < 2; ++step) {
    for (std::size_t i = 0; i < n + 2; ++i) {
      g[i] = static_cast<T>(number(i, 3 + step));
    }
    adam_step(p.data(), g.data(), m.data(), v.data(), 1, size + 1, rule, isa);
    for (std::size_t i = 1; i <= n; ++i) {
      plain(p0[i], static_cast<double>(g[i]), m0[i], v0[i], rule);
    }
  }
  // All numbers are of the size of 1, a step of p of at most 0.1 / 1e-1.
  const double bound = sizeof(T) == 8 ? 1e-14 : 4e-6;
  for (std::size_t i = 0; i < n + 2; ++i) {
    REQUIRE(std::fabs(static_cast<double>(m[i]) - m0[i]) <= bound);
    REQUIRE(std::fabs(static_cast<double>(v[i]) - v0[i]) <= bound);
    REQUIRE(std::fabs(static_cast<double>(p[i]) - p0[i]) <= bound);
  }
  REQUIRE(p.front() == static_cast<T>(number(0, 0)));
  REQUIRE(p.back() == static_cast<T>(number(n + 1, 0)));
}

}  // namespace

TEST_CASE("adam_step is the formula on every instruction set", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    AdamRule adam;
    adam.rate = 0.1;
    adam.scale = 1.5;
    adam.eps = 0.1;
    AdamRule decayed = adam;
    decayed.decay = 0.3;
    AdamRule decoupled = adam;
    decoupled.keep = 0.7;
    for (const AdamRule& rule : {adam, decayed, decoupled}) {
      for (std::int64_t size = 0; size <= 33; ++size) {
        check<float>(isa, size, rule);
        check<double>(isa, size, rule);
      }
      check<float>(isa, 1000, rule);
      check<double>(isa, 1000, rule);
    }
  }
}

TEST_CASE("adam_step gives an element the same bits in any place", "[kernels]") {
  AdamRule rule;
  rule.rate = 0.1;
  rule.eps = 1e-8;
  std::vector<float> p(100, 0.3F), g(100, -0.7F), m(100, 0.11F), v(100, 0.013F);
  adam_step(p.data(), g.data(), m.data(), v.data(), 0, 37, rule, active_isa());
  adam_step(p.data(), g.data(), m.data(), v.data(), 37, 100, rule, active_isa());
  for (std::size_t i = 1; i < 100; ++i) {
    CHECK(p[i] == p[0]);
    CHECK(m[i] == m[0]);
    CHECK(v[i] == v[0]);
  }
}

}  // namespace adam_step_test
