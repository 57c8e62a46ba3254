#include "regtorch/report/confidence_interval.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"

namespace confidence_interval_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using rt::report::confidence_interval;
using rt::report::student_t_quantile;

TEST_CASE("quantiles of Student's t are those of the tables", "[report]") {
  CHECK(student_t_quantile(0.975, 1) == Approx(12.706204736).epsilon(1e-9));
  CHECK(student_t_quantile(0.975, 2) == Approx(4.302652730).epsilon(1e-9));
  CHECK(student_t_quantile(0.975, 3) == Approx(3.182446305).epsilon(1e-9));
  CHECK(student_t_quantile(0.95, 5) == Approx(2.015048373).epsilon(1e-9));
  CHECK(student_t_quantile(0.995, 8) == Approx(3.355387331).epsilon(1e-9));
  CHECK(student_t_quantile(0.975, 19) == Approx(2.093024054).epsilon(1e-9));
  CHECK(student_t_quantile(0.975, 1000) == Approx(1.962339081).epsilon(1e-9));
  CHECK(student_t_quantile(0.5, 4) == Approx(0).margin(1e-12));
  CHECK(contains(error_of([] { student_t_quantile(1, 1); }), "[0.5, 1), got 1"));
  CHECK(contains(error_of([] { student_t_quantile(0.9, 0); }), "at least 1 degree"));
}

TEST_CASE("a confidence interval is the formula's", "[report]") {
  // mean 2, s = 1, n = 3: 4.3027 / sqrt(3)
  const auto three = confidence_interval({1, 2, 3});
  CHECK(three.mean == Approx(2));
  CHECK(three.half_width == Approx(4.302652730 / std::sqrt(3.0)).epsilon(1e-9));
  CHECK(confidence_interval({1, 2, 3}, 0).half_width == Approx(0).margin(1e-12));
  CHECK(confidence_interval({5, 5}).half_width == 0);
  CHECK(confidence_interval({7}).mean == 7);
  CHECK(std::isinf(confidence_interval({7}).half_width));
  CHECK(contains(error_of([] { confidence_interval({}); }), "at least 1 value"));
  CHECK(contains(error_of([] { confidence_interval({1}, 1); }), "[0, 1), got 1"));
}

TEST_CASE("a confidence interval holds the mean as often as it says", "[report]") {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3});
  const auto samples = torch::randn({4000, 4}, generator, torch::kDouble);
  int held = 0;
  for (std::int64_t i = 0; i < samples.size(0); ++i) {
    const auto row = samples[i];
    const auto* first = row.const_data_ptr<double>();
    const auto estimate = confidence_interval(std::vector<double>(first, first + 4), 0.8);
    held += std::abs(estimate.mean) <= estimate.half_width ? 1 : 0;
  }
  // 3200 of 4000 is expected; five standard deviations are 126.
  CHECK(std::abs(held - 3200) < 126);
}

}  // namespace confidence_interval_test
