#include "regtorch/kernels/gelu.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "catch.hpp"

namespace gelu_test {

using namespace regtorch::kernels;

namespace {

double cdf_of(double u) { return 0.5 * std::erfc(-u / std::numbers::sqrt2); }
double density_of(double u) { return std::exp(-0.5 * u * u) / std::sqrt(2 * std::numbers::pi); }

/// The greatest errors over floats from `first` to `last` bits, in loops as kernels have them.
struct Errors {
  double cdf = 0;
  double density = 0;
};

Errors worst_errors(Isa isa, std::uint32_t first, std::uint32_t last, std::uint32_t step) {
  constexpr std::uint32_t kWidth = 32;
  Errors worst;
  for (std::uint64_t bits = first; bits <= last; bits += kWidth * step) {
    float u[kWidth];
    for (std::uint32_t i = 0; i < kWidth; ++i) {
      u[i] = std::bit_cast<float>(
          static_cast<std::uint32_t>(std::min<std::uint64_t>(bits + i * step, last)));
    }
    float cdf[kWidth];
    float density[kWidth];
    run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
      for (std::uint32_t i = 0; i < kWidth; ++i) {
        const Normal normal = normal_at(u[i]);
        cdf[i] = normal.cdf;
        density[i] = normal.density;
      }
    });
    for (std::uint32_t i = 0; i < kWidth; ++i) {
      worst.cdf = std::max(worst.cdf, std::abs(cdf[i] - cdf_of(u[i])));
      worst.density = std::max(worst.density, std::abs(density[i] - density_of(u[i])));
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("normal_at is the normal distribution within its bounds", "[kernels]") {
  constexpr std::uint32_t kHundred = std::bit_cast<std::uint32_t>(100.0f);
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa <= best_isa()) {
      for (const std::uint32_t sign : {0u, 0x80000000u}) {
        // A prime step, as all of them would take minutes.
        const Errors worst = worst_errors(isa, sign, sign | kHundred, 101);
        CHECK(worst.cdf < 0x1p-21);
        CHECK(worst.density < 0x1p-23);
        CHECK(worst.cdf > 0x1p-25);  // so they were measured
        CHECK(worst.density > 0x1p-27);
      }
    }
  }
}

TEST_CASE("normal_at at zero, far out, and for nan", "[kernels]") {
  CHECK(normal_at(0.0f).cdf == Approx(0.5).margin(0x1p-21));
  CHECK(normal_at(-0.0f).cdf == Approx(0.5).margin(0x1p-21));
  for (const float far : {14.0f, 1e5f, 1e30f, std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::infinity()}) {
    INFO(far);
    CHECK(normal_at(far).cdf == 1);
    CHECK(normal_at(-far).cdf == 0);
    CHECK(normal_at(far).density == 0);
    CHECK(normal_at(-far).density == 0);
  }
  for (const float nan :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
    CHECK(std::isnan(normal_at(nan).cdf));
    CHECK(std::isnan(normal_at(nan).density));
  }
}

}  // namespace gelu_test
