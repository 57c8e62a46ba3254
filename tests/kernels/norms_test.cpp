#include "regtorch/kernels/norms.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"

namespace norms_test {

using namespace regtorch::kernels;

namespace {

/// Numbers of both signs, with zeros between.
template <class T>
std::vector<T> numbers(std::int64_t size) {
  std::vector<T> x(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = i % 5 == 0 ? T{0} : static_cast<T>(std::sin(static_cast<double>(i) * 1.7));
  }
  return x;
}

template <class T>
void check(Isa isa, std::int64_t size) {
  CAPTURE(size, to_string(isa));
  const auto x = numbers<T>(size);
  double absolute = 0;
  double squares = 0;
  for (const T value : x) {
    absolute += std::fabs(static_cast<double>(value));
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const Sums both = sums<true, true>(x.data(), 0, size, isa);
  REQUIRE(both.absolute == Approx(absolute).epsilon(1e-13));
  REQUIRE(both.squares == Approx(squares).epsilon(1e-13));
  REQUIRE(sums<true, false>(x.data(), 0, size, isa).absolute == both.absolute);
  REQUIRE(sums<false, true>(x.data(), 0, size, isa).squares == both.squares);
  if (sizeof(T) == 4) {  // exact products: no instruction set rounds otherwise
    REQUIRE(sums<true, true>(x.data(), 0, size, Isa::kBaseline).squares == both.squares);
  }

  auto scaled = x;
  scale(scaled.data(), 0, size, 0.25, isa);
  std::vector<T> gradient(x.size());
  penalty_gradient(x.data(), gradient.data(), 0, size, 0.5, 0.25, isa);
  for (std::size_t i = 0; i < x.size(); ++i) {
    REQUIRE(scaled[i] == x[i] / 4);
    const double sign = x[i] > 0 ? 1 : x[i] < 0 ? -1 : 0;
    REQUIRE(static_cast<double>(gradient[i]) ==
            Approx(0.5 * sign + 0.5 * static_cast<double>(x[i])).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("sums, scale and penalty_gradient are the formulas on every instruction set",
          "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (std::int64_t size = 0; size <= 130; ++size) {
      check<float>(isa, size);
      check<double>(isa, size);
    }
    check<float>(isa, 10'000);
    check<double>(isa, 10'000);
  }
}

TEST_CASE("sums keep within bounds and do not overflow in float32", "[kernels]") {
  const std::vector<float> x(100, 1e30F);
  CHECK(sums<false, true>(x.data(), 3, 97, active_isa()).squares == Approx(94e60).epsilon(1e-6));
  const std::vector<float> bad{1, std::numeric_limits<float>::infinity()};
  CHECK(std::isinf(sums<false, true>(bad.data(), 0, 2, active_isa()).squares));
  const std::vector<float> worse{1, std::numeric_limits<float>::quiet_NaN()};
  CHECK(std::isnan(sums<true, false>(worse.data(), 0, 2, active_isa()).absolute));
}

}  // namespace norms_test
