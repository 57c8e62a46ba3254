#include "regtorch/transforms/random_erasing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "reference.hpp"

namespace random_erasing_test {

using namespace regtorch::testing;
using rt::transforms::Pipeline;
using rt::transforms::RandomErasing;
using rt::transforms::RandomErasingOptions;

namespace {

/// 1 inside the rectangle drawn, float64 [1,H,W].
torch::Tensor rectangle(const RandomErasing::Draw& draw, const torch::Tensor& x) {
  auto mask = torch::zeros({1, x.size(1), x.size(2)}, torch::kBool);
  mask.narrow(1, draw.top, draw.height).narrow(2, draw.left, draw.width).fill_(true);
  return mask;
}

auto erasing_step(const RandomErasingOptions& options) {
  const RandomErasing erasing(options);
  return Step{erasing, [=](std::uint32_t place, std::int64_t index, const torch::Tensor& x) {
                const auto draw = drawn(erasing, place, index, x.size(1), x.size(2));
                return torch::where(rectangle(draw, x), column(options.fill()), x);
              }};
}

/// The noise as the header says it: three numbers a pixel from a stream of its own.
auto noise_step(const RandomErasingOptions& options) {
  const RandomErasing erasing(options);
  return Step{erasing, [=](std::uint32_t place, std::int64_t index, const torch::Tensor& x) {
                const auto draw = drawn(erasing, place, index, x.size(1), x.size(2));
                auto result = x.clone();
                auto values = result.accessor<double, 3>();
                for (std::int64_t row = draw.top; row < draw.top + draw.height; ++row) {
                  for (std::int64_t at = draw.left; at < draw.left + draw.width; ++at) {
                    rt::kernels::RandomWords random({draw.noise_seed, 0, 0},
                                                    static_cast<std::uint64_t>(row << 32 | at));
                    for (std::int64_t c = 0; c < 3; ++c) {
                      values[c][row][at] = rt::kernels::normal_number(random);
                    }
                  }
                }
                return result;
              }};
}

}  // namespace

TEST_CASE("RandomErasing fills a rectangle, anywhere in a pipeline", "[transforms]") {
  check_pipeline(0x1p-23, erasing_step(RandomErasingOptions().p(0.7).fill({0.5, -1, 2})));
  check_pipeline(0x1p-20, crop_step(33, 16), flip_step(), normalize_step(),
                 erasing_step(RandomErasingOptions().p(1)));
  check_pipeline(0x1p-20, erasing_step(RandomErasingOptions().p(1).scale({0.3, 0.6})),
                 normalize_step(), crop_step(20, 10), flip_step(),
                 erasing_step(RandomErasingOptions().fill({3, 3, 3})));
}

TEST_CASE("RandomErasing with noise, anywhere in a pipeline", "[transforms]") {
  const auto options = RandomErasingOptions().p(0.7).noise(true);
  check_pipeline(0x1p-20, normalize_step(), noise_step(options));
  check_pipeline(0x1p-20, crop_step(33, 16), normalize_step(), noise_step(options), flip_step(),
                 crop_step(20, 10), noise_step(options));
}

TEST_CASE("RandomErasing's noise is N(0, 1), independent between pixels, channels and images",
          "[transforms]") {
  // Rectangles of a third to a half of the image, all of whose own pixels are 1000 before.
  const RandomErasing erasing(RandomErasingOptions().p(1).scale({0.4, 0.5}).noise(true));
  const rt::transforms::Normalize shift({-1000, -1000, -1000}, {1, 1, 1});
  const auto images = torch::zeros({64, 3, 32, 32}, torch::kByte);
  const auto result = Pipeline{shift, erasing}(images, 5).to(torch::kDouble);
  const auto values = std::get<0>(result.masked_select(result < 500).sort());
  const auto n = static_cast<double>(values.numel());
  REQUIRE(n > 64 * 3 * 0.39 * 1024);
  // Kolmogorov and Smirnov: 2 exp(-2 * 2.9^2) = 1e-7.
  const auto ranks = (torch::arange(values.numel(), torch::kDouble) + 0.5) / n;
  CHECK((torch::special::ndtr(values) - ranks).abs().max().item<double>() < 2.9 / std::sqrt(n));

  const auto correlation_is_small = [](const torch::Tensor& a, const torch::Tensor& b) {
    const auto both = (a < 500).logical_and(b < 500);
    const auto product = (a * b).masked_select(both);
    const auto count = static_cast<double>(product.numel());
    REQUIRE(count > 10000);
    return std::abs(product.mean().item<double>()) < 5 / std::sqrt(count);  // five deviations
  };
  CHECK(correlation_is_small(result.select(1, 0), result.select(1, 1)));
  CHECK(correlation_is_small(result.select(1, 0), result.select(1, 2)));
  CHECK(correlation_is_small(result.select(1, 1), result.select(1, 2)));
  CHECK(correlation_is_small(result.slice(2, 1), result.slice(2, 0, 31)));
  CHECK(correlation_is_small(result.slice(3, 1), result.slice(3, 0, 31)));
  CHECK(correlation_is_small(result.slice(0, 1), result.slice(0, 0, 63)));
}

TEST_CASE("RandomErasing touches a share p of the images", "[transforms]") {
  for (const double p : {0.0, 0.3, 1.0}) {
    const RandomErasing erasing(RandomErasingOptions().p(p));
    double erased = 0;
    for (std::int64_t i = 0; i < 4000; ++i) {
      erased += drawn(erasing, 0, i, 32, 32).height > 0 ? 1 : 0;
    }
    CHECK(std::abs(erased / 4000 - p) <= 5 * std::sqrt(p * (1 - p) / 4000));
  }
}

TEST_CASE("RandomErasing's area, shape and place are as the formula says", "[transforms]") {
  const RandomErasingOptions options =
      RandomErasingOptions().p(1).scale({0.05, 0.2}).ratio({0.5, 3});
  const RandomErasing erasing(options);
  // A large image, so that rounding to whole pixels is small beside the ranges.
  constexpr std::int64_t kHeight = 4000;
  constexpr std::int64_t kWidth = 3000;
  std::vector<double> areas;
  std::vector<double> log_ratios;
  std::vector<double> tops;
  std::vector<double> lefts;
  for (std::int64_t i = 0; i < 20000; ++i) {
    const auto draw = drawn(erasing, 0, i, kHeight, kWidth);
    REQUIRE(draw.height > 0);
    areas.push_back(static_cast<double>(draw.height) * draw.width / (kHeight * kWidth));
    log_ratios.push_back(std::log(static_cast<double>(draw.height) / draw.width));
    tops.push_back(draw.top / static_cast<double>(kHeight - draw.height));
    lefts.push_back(draw.left / static_cast<double>(kWidth - draw.width));
  }
  CHECK(looks_uniform_between(areas, 0.05, 0.2, 1e-3));
  CHECK(looks_uniform_between(log_ratios, std::log(0.5), std::log(3), 1e-2));
  CHECK(looks_uniform_between(tops, 0, 1, 0));
  CHECK(looks_uniform_between(lefts, 0, 1, 0));
}

TEST_CASE("RandomErasing's places are uniform, the last one included", "[transforms]") {
  // Always 2x2 of 4x5: 3 * 4 places.
  const RandomErasing erasing(RandomErasingOptions().p(1).scale({0.2, 0.2}).ratio({1, 1}));
  std::vector<double> counts(12, 0);
  for (std::int64_t i = 0; i < 12000; ++i) {
    const auto draw = drawn(erasing, 0, i, 4, 5);
    REQUIRE((draw.height == 2 && draw.width == 2));
    counts.at(static_cast<std::size_t>(draw.top * 4 + draw.left)) += 1;
  }
  CHECK(looks_uniform(counts));
}

TEST_CASE("RandomErasing draws ten times for a rectangle that is lower and narrower than the image",
          "[transforms]") {
  // Of 16x16: 16 high at a ratio 1, so never.
  const RandomErasing never(RandomErasingOptions().p(1).scale({1, 1}).ratio({1, 1}));
  // Of 16x16: 8 * sqrt(r) is less than 15.5 for r < 3.754: with log r uniform in [0, log 3.754 / q]
  // a share q of the attempts fits.
  const double q = 0.1;
  const RandomErasing seldom(RandomErasingOptions()
                                 .p(1)
                                 .scale({0.25, 0.25})
                                 .ratio({1, std::exp(std::log(15.5 * 15.5 / 64) / q)}));
  double erased = 0;
  for (std::int64_t i = 0; i < 4000; ++i) {
    CHECK(drawn(never, 0, i, 16, 16).height == 0);
    const auto draw = drawn(seldom, 0, i, 16, 16);
    REQUIRE((draw.height < 16 && draw.width < 16));
    erased += draw.height > 0 ? 1 : 0;
  }
  const double wanted = 1 - std::pow(1 - q, 10);
  CHECK(std::abs(erased / 4000 - wanted) <= 5 * std::sqrt(wanted * (1 - wanted) / 4000));
}

TEST_CASE("RandomErasing refuses options out of range", "[transforms]") {
  const auto error = [](const RandomErasingOptions& options) {
    return error_of([&] { RandomErasing{options}; });
  };
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(
      contains(error(RandomErasingOptions().p(1.5)), "RandomErasing: wanted p in [0, 1], got 1.5"));
  CHECK(contains(error(RandomErasingOptions().p(std::nan(""))), "got nan"));
  CHECK(contains(error(RandomErasingOptions().scale({0.3, 0.2})),
                 "wanted a scale with 0 <= least <= greatest <= 1, got 0.3 and 0.2"));
  CHECK(contains(error(RandomErasingOptions().scale({-0.1, 0.2})), "got -0.1 and 0.2"));
  CHECK(contains(error(RandomErasingOptions().scale({0.1, 1.1})), "got 0.1 and 1.1"));
  CHECK(contains(error(RandomErasingOptions().ratio({0, 1})),
                 "wanted a ratio with 0 < least <= greatest, finite, got 0 and 1"));
  CHECK(contains(error(RandomErasingOptions().ratio({2, 1})), "got 2 and 1"));
  CHECK(contains(error(RandomErasingOptions().ratio({1, inf})), "got 1 and inf"));
  CHECK(contains(error(RandomErasingOptions().fill({0, 0, inf})),
                 "RandomErasing: wanted a fill that is finite in float32, got inf for channel 2"));
  CHECK(contains(error(RandomErasingOptions().fill({-1e39, 0, 0})),
                 "finite in float32, got -1e+39 for channel 0"));
}

}  // namespace random_erasing_test
