#include "regtorch/kernels/exp.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "catch.hpp"

namespace exp_test {

using namespace regtorch::kernels;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The greatest |got - wanted| / |wanted| over floats whose bits are first, first + step, ..., in
/// loops as kernels have them.
template <class Function>
double worst_error(Isa isa, std::uint32_t first, std::uint32_t last, std::uint32_t step,
                   const Function& function, double (*wanted)(double)) {
  constexpr int kWidth = 32;
  double worst = 0;
  for (std::uint64_t bits = first; bits <= last; bits += kWidth * step) {
    float x[kWidth];
    for (std::uint32_t i = 0; i < kWidth; ++i) {
      x[i] = std::bit_cast<float>(
          static_cast<std::uint32_t>(std::min<std::uint64_t>(bits + i * step, last)));
    }
    float got[kWidth];
    run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
      float result[kWidth];
      for (int i = 0; i < kWidth; ++i) {
        result[i] = function(x[i]);
      }
      for (int i = 0; i < kWidth; ++i) {
        got[i] = result[i];
      }
    });
    for (int i = 0; i < kWidth; ++i) {
      const double exact = wanted(x[i]);
      const double error = std::abs(got[i] - exact) / std::abs(exact);
      worst = std::max(worst, exact == got[i] ? 0 : std::isnan(error) ? kInfinity : error);
    }
  }
  return worst;
}

double exp_of(double x) { return std::exp(x); }
double log_of(double x) { return std::log(x); }

}  // namespace

TEST_CASE("exp_nonpositive is exp to within 2^-22", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa <= best_isa()) {
      // From -0 to -87.336; a prime step, as all 1.1 billion would take minutes.
      const double worst = worst_error(
          isa, 0x80000000u, std::bit_cast<std::uint32_t>(-87.336f), 53,
          [](float x) REGTORCH_INLINE_LAMBDA { return exp_nonpositive(x); }, exp_of);
      CHECK(worst < 0x1p-22);
      CHECK(worst > 0x1p-25);  // so it was measured
    }
  }
}

TEST_CASE("exp_nonpositive at the ends of its range", "[kernels]") {
  CHECK(exp_nonpositive(0.0f) == 1);
  CHECK(exp_nonpositive(-0.0f) == 1);
  CHECK(exp_nonpositive(-1e-40f) == 1);
  for (const float x : {-87.34f, -88.0f, -100.0f, -1e4f, -1e30f,
                        std::numeric_limits<float>::lowest(), -kInfinity}) {
    INFO(x);
    CHECK(std::bit_cast<std::uint32_t>(exp_nonpositive(x)) == 0);
  }
  // With payloads in every bit that could be mistaken for an exponent.
  for (const std::uint32_t nan : {0x7FC00000u, 0x7F800001u, 0x7FFFFFFFu, 0xFFC00000u, 0xFFFFFFFFu,
                                  0x7FC000FFu, 0x7FC0017Fu}) {
    CHECK(std::isnan(exp_nonpositive(std::bit_cast<float>(nan))));
  }
}

TEST_CASE("log_of_sum is log to within 2^-23", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa <= best_isa()) {
      const double worst = worst_error(
          isa, std::bit_cast<std::uint32_t>(1.0f), 0x7F7FFFFFu, 53,
          [](float x) REGTORCH_INLINE_LAMBDA { return log_of_sum(x); }, log_of);
      CHECK(worst < 0x1p-23);
      CHECK(worst > 0x1p-26);
    }
  }
  CHECK(log_of_sum(1) == 0);
  CHECK(std::isnan(log_of_sum(kInfinity)));
  CHECK(std::isnan(log_of_sum(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace exp_test
