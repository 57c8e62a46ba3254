#include "regtorch/cuda/penalties.cuh"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "multi_tensor.hpp"
#include "regtorch/kernels/norms.hpp"
#include "simt/schedule.hpp"

namespace {

namespace rt = regtorch;
using rt::kernels::PenaltyRule;
using rt::testing::Floats;
using rt::testing::number;

/// Weights and the place for their gradient.
struct Weights {
  explicit Weights(const std::vector<std::int64_t>& sizes) {
    std::int64_t chunks = 0;
    for (const auto size : sizes) {
      const auto which = static_cast<int>(in.size());
      in.emplace_back(size, which % 3 == 1 ? 1 : 0);
      out.emplace_back(size, which % 3 == 2 ? 3 : 0);
      for (std::int64_t i = 0; i < size; ++i) {
        in.back()[i] = i % 5 == 3 ? 0 : number(i, which);
      }
      chunks += rt::kernels::device_chunks(size);
    }
    scratch.resize(static_cast<std::size_t>(chunks));
  }
  std::vector<rt::kernels::WeightArrays> arrays() {
    std::vector<rt::kernels::WeightArrays> result;
    for (std::size_t k = 0; k < in.size(); ++k) {
      result.push_back({in[k].data(), out[k].data(), in[k].size()});
    }
    return result;
  }
  float value(const PenaltyRule& rule) {
    const auto list = arrays();
    float result = -1;
    rt::cuda::penalty(list.data(), static_cast<std::int64_t>(list.size()), rule, scratch.data(),
                      &result, nullptr);
    return result;
  }
  void gradient(const PenaltyRule& rule, float incoming) {
    const auto list = arrays();
    rt::cuda::penalty_gradient(list.data(), static_cast<std::int64_t>(list.size()), rule, &incoming,
                               nullptr);
  }

  std::vector<Floats> in;
  std::vector<Floats> out;
  std::vector<rt::kernels::Sums> scratch;
};

/// The strength of a penalty that there is not means nothing.
const std::vector<PenaltyRule> kRules{{.l1 = 0.3, .l2 = 5, .has_l1 = true},
                                      {.l1 = 5, .l2 = 0.7, .has_l2 = true},
                                      {.l1 = 0.3, .l2 = 0.7, .has_l1 = true, .has_l2 = true}};
double l1_of(const PenaltyRule& rule) { return rule.has_l1 ? rule.l1 : 0; }
double l2_of(const PenaltyRule& rule) { return rule.has_l2 ? rule.l2 : 0; }

}  // namespace

TEST_CASE("cuda::penalty is the formula", "[cuda]") {
  for (const auto& sizes : rt::testing::lists_of_sizes()) {
    Weights w(sizes);
    double absolute = 0;
    double squares = 0;
    for (auto& x : w.in) {
      for (std::int64_t i = 0; i < x.size(); ++i) {
        absolute += std::fabs(static_cast<double>(x[i]));
        squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      }
    }
    for (const auto& rule : kRules) {
      CHECK(static_cast<double>(w.value(rule)) ==
            Approx(l1_of(rule) * absolute + l2_of(rule) * squares).epsilon(1e-7));
    }
  }
  Weights w({50257, 33});
  const float first = w.value(kRules[2]);
  rt::simt::for_each_schedule([&] { CHECK(w.value(kRules[2]) == first); });
}

TEST_CASE("cuda::penalty of strength 0 is not finite where a weight isn't", "[cuda]") {
  Weights w({33});
  w.in[0][20] = INFINITY;
  CHECK(w.value({.l2 = 1, .has_l2 = true}) == INFINITY);
  CHECK(std::isnan(w.value({.l2 = 1, .has_l1 = true, .has_l2 = true})));
  CHECK(std::isnan(w.value({.has_l1 = true})));
  w.in[0][20] = NAN;
  CHECK(std::isnan(w.value({.l2 = 1, .has_l2 = true})));
}

TEST_CASE("cuda::penalty_gradient is the CPU's", "[cuda]") {
  const rt::kernels::Isa isa = rt::kernels::best_isa();
  for (const auto& sizes : rt::testing::lists_of_sizes()) {
    Weights w(sizes);
    for (const auto& rule : kRules) {
      w.gradient(rule, -1.5F);
      float off = 0;
      bool guards_stand = true;
      for (std::size_t k = 0; k < w.in.size(); ++k) {
        std::vector<float> wanted(static_cast<std::size_t>(w.in[k].size()));
        rt::kernels::penalty_gradient(w.in[k].data(), wanted.data(), 0, w.in[k].size(),
                                      -1.5 * l1_of(rule), -1.5 * l2_of(rule), isa);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          off = std::fmax(off, std::fabs(w.out[k][static_cast<std::int64_t>(i)] - wanted[i]));
        }
        guards_stand = guards_stand && w.out[k].guards_stand();
      }
      CHECK(off <= 3e-7F);  // one rounding of a number of the size of 2
      CHECK(guards_stand);
    }
  }
}
