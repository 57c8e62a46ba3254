#include "regtorch/cuda/adam_step.cuh"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "multi_tensor.hpp"
#include "regtorch/kernels/adam_step.hpp"
#include "simt/schedule.hpp"

namespace {

namespace rt = regtorch;
using rt::kernels::AdamRule;
using rt::kernels::Isa;
using rt::testing::Floats;
using rt::testing::number;

/// A parameter with all that steps with it; one array in seven lies at no multiple of 16.
struct Parameter {
  Parameter(std::int64_t size, std::int64_t which)
      : p(size, which % 7 == 3 ? 1 : 0),
        g(size, which % 7 == 4 ? 2 : 0),
        m(size, which % 7 == 5 ? 3 : 0),
        v(size, which % 7 == 6 ? 1 : 0),
        p0(static_cast<std::size_t>(size)),
        m0(p0),
        v0(p0) {
    for (std::int64_t i = 0; i < size; ++i) {
      const auto at = static_cast<std::size_t>(i);
      p0[at] = p[i] = number(i, which);
      m0[at] = m[i] = number(i, which + 1);
      v0[at] = v[i] = std::fabs(number(i, which + 2));
    }
  }
  void set_gradient(std::int64_t step) {
    for (std::int64_t i = 0; i < g.size(); ++i) {
      g[i] = number(i, 10 * step);
    }
  }
  rt::kernels::StepArrays arrays() { return {p.data(), g.data(), m.data(), v.data(), p.size()}; }

  Floats p, g, m, v;
  std::vector<float> p0, m0, v0;  // the CPU's
};

AdamRule rule_at(int step, double decay, double keep) {
  AdamRule rule;
  rule.rate = 0.01 / (1 - std::pow(rule.beta1, step));
  rule.scale = 1 / std::sqrt(1 - std::pow(rule.beta2, step));
  rule.eps = 1e-8;
  rule.decay = decay;
  rule.keep = keep;
  return rule;
}

void check_like_cpu(const std::vector<std::int64_t>& sizes, double decay, double keep) {
  // Where multiply_add rounds once, m and v are the CPU's bit for bit.
  const Isa isa = rt::kernels::best_isa();
  const float means_bound = isa >= Isa::kV3 ? 0 : 1e-6F;
  std::vector<Parameter> parameters;
  std::vector<rt::kernels::StepArrays> arrays;
  for (const auto size : sizes) {
    parameters.emplace_back(size, static_cast<std::int64_t>(parameters.size()));
  }
  for (auto& parameter : parameters) {
    arrays.push_back(parameter.arrays());
  }
  for (int step = 1; step <= 3; ++step) {
    const AdamRule rule = rule_at(step, decay, keep);
    for (auto& x : parameters) {
      x.set_gradient(step);
      rt::kernels::adam_step(x.p0.data(), x.g.data(), x.m0.data(), x.v0.data(), 0, x.p.size(), rule,
                             isa);
    }
    rt::cuda::adam_step(arrays.data(), static_cast<std::int64_t>(arrays.size()), rule, nullptr);
  }
  for (auto& x : parameters) {
    float p_off = 0;
    float means_off = 0;
    for (std::int64_t i = 0; i < x.p.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      p_off = std::fmax(p_off, std::fabs(x.p[i] - x.p0[at]));
      means_off = std::fmax(means_off, std::fabs(x.m[i] - x.m0[at]));
      means_off = std::fmax(means_off, std::fabs(x.v[i] - x.v0[at]));
    }
    CAPTURE(x.p.size(), decay);
    // With a decay the weight, off by a rounding where a compiler fuses less, goes into m and v.
    CHECK(means_off <= (decay == 0 ? means_bound : 1e-6F));
    CHECK(p_off <= 2e-6F);
    const bool guards_stand =
        x.p.guards_stand() && x.g.guards_stand() && x.m.guards_stand() && x.v.guards_stand();
    CHECK(guards_stand);
  }
}

}  // namespace

TEST_CASE("cuda::adam_step steps lists of parameters as the CPU does", "[cuda]") {
  for (const auto& sizes : rt::testing::lists_of_sizes()) {
    check_like_cpu(sizes, 0, 1);
    check_like_cpu(sizes, 0.1, 1);
    check_like_cpu(sizes, 0, 0.99);
  }
  rt::simt::for_each_schedule([] { check_like_cpu({33, 0, 1000}, 0.1, 1); });
}

TEST_CASE("cuda::adam_step without a decay does not multiply by an infinite weight", "[cuda]") {
  Parameter x(5, 0);
  x.set_gradient(1);
  x.p[2] = INFINITY;
  const auto arrays = x.arrays();
  rt::cuda::adam_step(&arrays, 1, rule_at(1, 0, 1), nullptr);
  CHECK(x.p[2] == INFINITY);
  CHECK(std::isfinite(x.m[2]));
}

TEST_CASE("cuda::adam_step of no parameters starts nothing", "[cuda]") {
  rt::cuda::adam_step(nullptr, 0, AdamRule{}, nullptr);
}
