#include "regtorch/cuda/sgd_step.cuh"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "multi_tensor.hpp"
#include "regtorch/kernels/sgd_step.hpp"
#include "simt/schedule.hpp"

namespace {

namespace rt = regtorch;
using rt::kernels::Isa;
using rt::kernels::SgdRule;
using rt::testing::Floats;
using rt::testing::number;

/// A parameter with all that steps with it; some lie at no multiple of 16.
struct Parameter {
  Parameter(std::int64_t size, std::int64_t which)
      : p(size, which % 7 == 3 ? 1 : 0),
        g(size, which % 7 == 4 ? 2 : 0),
        b(size, which % 7 == 5 ? 3 : 0) {
    for (std::int64_t i = 0; i < size; ++i) {
      p0.push_back(p[i] = number(i, which));
      b0.push_back(b[i] = -0.0F);
    }
  }
  void set_gradient(std::int64_t step) {
    for (std::int64_t i = 0; i < g.size(); ++i) {
      g[i] = number(i, 10 * step);
    }
  }
  rt::kernels::StepArrays arrays(bool momentum) {
    return {p.data(), g.data(), momentum ? b.data() : nullptr, nullptr, p.size()};
  }

  Floats p, g, b;
  std::vector<float> p0, b0;  // the CPU's
};

void check_like_cpu(const std::vector<std::int64_t>& sizes, SgdRule rule) {
  // Bit for bit where multiply_add rounds once.
  const Isa isa = rt::kernels::best_isa();
  const float bound = isa >= Isa::kV3 ? 0 : 1e-6F;
  const bool momentum = rule.momentum != 0;
  std::vector<Parameter> parameters;
  std::vector<rt::kernels::StepArrays> arrays;
  for (const auto size : sizes) {
    parameters.emplace_back(size, static_cast<std::int64_t>(parameters.size()));
  }
  for (auto& parameter : parameters) {
    arrays.push_back(parameter.arrays(momentum));
  }
  const double dampened = rule.gradient;
  for (int step = 1; step <= 3; ++step) {
    rule.gradient = step == 1 ? 1 : dampened;
    for (auto& x : parameters) {
      x.set_gradient(step);
      rt::kernels::sgd_step(x.p0.data(), x.g.data(), momentum ? x.b0.data() : nullptr, 0,
                            x.p.size(), rule, isa);
    }
    rt::cuda::sgd_step(arrays.data(), static_cast<std::int64_t>(arrays.size()), rule, nullptr);
  }
  for (auto& x : parameters) {
    float off = 0;
    for (std::int64_t i = 0; i < x.p.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      off = std::fmax(off, std::fabs(x.p[i] - x.p0[at]));
      off = std::fmax(off, std::fabs(x.b[i] - x.b0[at]));
    }
    CAPTURE(x.p.size(), rule.momentum, rule.decay, rule.nesterov);
    CHECK(off <= bound);
    const bool guards_stand = x.p.guards_stand() && x.g.guards_stand() && x.b.guards_stand();
    CHECK(guards_stand);
  }
}

}  // namespace

TEST_CASE("cuda::sgd_step steps lists of parameters as the CPU does", "[cuda]") {
  const std::vector<SgdRule> rules{{.rate = 0.1},
                                   {.rate = 0.1, .decay = 0.01},
                                   {.rate = 0.1, .momentum = 0.9},
                                   {.rate = 0.1, .momentum = 0.9, .gradient = 0.7, .decay = 0.01},
                                   {.rate = 0.1, .momentum = 0.9, .nesterov = true},
                                   {.rate = 0.1, .momentum = 0.9, .decay = 5e-4, .nesterov = true}};
  for (const auto& rule : rules) {
    for (const auto& sizes : rt::testing::lists_of_sizes()) {
      check_like_cpu(sizes, rule);
    }
    rt::simt::for_each_schedule([&] { check_like_cpu({33, 0, 1000}, rule); });
  }
}

TEST_CASE("cuda::sgd_step takes a first momentum's sign of zero from the gradient", "[cuda]") {
  Parameter x(1, 0);
  x.g[0] = -0.0F;
  const auto arrays = x.arrays(true);
  rt::cuda::sgd_step(&arrays, 1, {.rate = 0.1, .momentum = 0.9}, nullptr);
  CHECK(x.b[0] == 0);
  CHECK(std::signbit(x.b[0]));
}
