#include "regtorch/transforms/color_jitter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "../kernels/hsv_reference.hpp"
#include "catch.hpp"
#include "reference.hpp"

namespace color_jitter_test {

using namespace regtorch::testing;
using rt::transforms::ColorJitter;
using rt::transforms::ColorJitterOptions;
using rt::transforms::Pipeline;
using Adjustment = ColorJitter::Adjustment;

namespace {

torch::Tensor gray(const torch::Tensor& x) { return 0.2989 * x[0] + 0.587 * x[1] + 0.114 * x[2]; }

torch::Tensor turned(const torch::Tensor& x, double share) {
  auto result = x.clone(at::MemoryFormat::Contiguous);
  auto values = result.accessor<double, 3>();
  for (std::int64_t row = 0; row < x.size(1); ++row) {
    for (std::int64_t i = 0; i < x.size(2); ++i) {
      const auto color =
          hue_turned({values[0][row][i], values[1][row][i], values[2][row][i]}, share);
      for (std::size_t c = 0; c < 3; ++c) {
        values[static_cast<std::int64_t>(c)][row][i] = color[c];
      }
    }
  }
  return result;
}

/// torchvision's formulas on the whole image, in the order drawn.
auto jitter_step(const ColorJitterOptions& options) {
  const ColorJitter jitter(options);
  return Step{jitter, [=](std::uint32_t place, std::int64_t index, torch::Tensor x) {
                const auto draw = drawn(jitter, place, index, x.size(1), x.size(2));
                for (std::size_t i = 0; i < static_cast<std::size_t>(draw.count); ++i) {
                  const double f = draw.factor[static_cast<std::size_t>(draw.order[i])];
                  switch (draw.order[i]) {
                    case Adjustment::kBrightness:
                      x = (f * x).clamp(0, 1);
                      break;
                    case Adjustment::kContrast:
                      x = (f * x + (1 - f) * gray(x).mean()).clamp(0, 1);
                      break;
                    case Adjustment::kSaturation:
                      x = (f * x + (1 - f) * gray(x)).clamp(0, 1);
                      break;
                    case Adjustment::kHue:
                      x = turned(x, f);
                      break;
                  }
                }
                return x;
              }};
}

ColorJitterOptions all(double blend, double hue) {
  return ColorJitterOptions().brightness(blend).contrast(blend).saturation(blend).hue(hue);
}

}  // namespace

TEST_CASE("ColorJitter adjusts as torchvision's formulas do, each alone", "[transforms]") {
  check_pipeline(0x1p-22, jitter_step(ColorJitterOptions().brightness(0.8)));
  check_pipeline(0x1p-21, jitter_step(ColorJitterOptions().contrast(0.8)));
  check_pipeline(0x1p-21, jitter_step(ColorJitterOptions().saturation(0.8)));
  check_pipeline(0x1p-20, jitter_step(ColorJitterOptions().hue(0.5)));
}

TEST_CASE("ColorJitter in all orders, anywhere before Normalize", "[transforms]") {
  // 40 images: of the 24 orders each test sees more than half.
  check_pipeline(0x1p-18, jitter_step(all(0.4, 0.1)));
  // Factors of up to 4: saturation and contrast multiply an earlier rounding by up to 4 + 3 each.
  check_pipeline(0x1p-15, jitter_step(all(3, 0.5)), flip_step());
  // The mean is that of the image that comes in, what a later crop cuts off included, and what an
  // earlier one filled with zeros.
  check_pipeline(0x1p-16, flip_step(), crop_step(40, 20), jitter_step(all(0.9, 0.5)),
                 crop_step(11, 0), flip_step(), normalize_step());
  // The second mean is taken over what the first jitter made.
  check_pipeline(0x1p-16, jitter_step(ColorJitterOptions().contrast(0.9)), crop_step(37, 18),
                 jitter_step(all(0.9, 0.2)), normalize_step());
}

TEST_CASE("ColorJitter leaves out what is 0", "[transforms]") {
  const auto images = random_images(20, 9, 33);
  CHECK(Pipeline{ColorJitter(ColorJitterOptions())}(images, 0).equal(Pipeline<>{}(images, 0)));
  const ColorJitter jitter(ColorJitterOptions().contrast(0.5).hue(0.1));
  for (std::int64_t i = 0; i < 100; ++i) {
    const auto draw = drawn(jitter, 0, i, 9, 33);
    REQUIRE(draw.count == 2);
    CHECK(std::min(draw.order[0], draw.order[1]) == Adjustment::kContrast);
    CHECK(std::max(draw.order[0], draw.order[1]) == Adjustment::kHue);
  }
}

TEST_CASE("ColorJitter's orders and factors are uniform and independent", "[transforms]") {
  const ColorJitter jitter(
      ColorJitterOptions().brightness(0.4).contrast(1.5).saturation(1).hue(0.2));
  std::map<std::array<Adjustment, 4>, double> orders;
  std::array<std::vector<double>, 4> factors;
  for (std::int64_t i = 0; i < 24000; ++i) {
    const auto draw = drawn(jitter, 0, i, 8, 8);
    REQUIRE(draw.count == 4);
    orders[draw.order] += 1;
    for (std::size_t a = 0; a < 4; ++a) {
      factors[a].push_back(draw.factor[a]);
    }
  }
  REQUIRE(orders.size() == 24);
  std::vector<double> counts;
  for (const auto& [order, count] : orders) {
    CHECK(std::is_permutation(order.begin(), order.end(),
                              std::array{Adjustment::kBrightness, Adjustment::kContrast,
                                         Adjustment::kSaturation, Adjustment::kHue}
                                  .begin()));
    counts.push_back(count);
  }
  CHECK(looks_uniform(counts));
  const std::array<std::pair<double, double>, 4> ranges{
      {{0.6, 1.4}, {0, 2.5}, {0, 2}, {-0.2, 0.2}}};
  for (std::size_t a = 0; a < 4; ++a) {
    const auto [low, high] = ranges[a];
    CHECK(looks_uniform_between(factors[a], low, high, 1e-6));
    for (std::size_t b = 0; b < a; ++b) {
      const auto x = torch::tensor(factors[a], torch::kDouble);
      const auto y = torch::tensor(factors[b], torch::kDouble);
      const auto correlation = torch::corrcoef(torch::stack({x, y}))[0][1].item<double>();
      CHECK(std::abs(correlation) < 5 / std::sqrt(24000));  // five deviations
    }
  }
}

TEST_CASE("ColorJitter refuses options out of range", "[transforms]") {
  const auto error = [](const ColorJitterOptions& options) {
    return error_of([&] { ColorJitter{options}; });
  };
  CHECK(contains(error(ColorJitterOptions().brightness(-0.1)),
                 "ColorJitter: wanted a brightness of at least 0, finite in float32, got -0.1"));
  CHECK(contains(error(ColorJitterOptions().contrast(std::nan(""))),
                 "contrast of at least 0, finite in float32, got nan"));
  CHECK(contains(error(ColorJitterOptions().saturation(1e39)),
                 "saturation of at least 0, finite in float32, got 1e+39"));
  CHECK(contains(error(ColorJitterOptions().hue(0.6)),
                 "ColorJitter: wanted a hue in [0, 0.5], got 0.6"));
  CHECK(contains(error(ColorJitterOptions().hue(-0.1)), "got -0.1"));
}

TEST_CASE("ColorJitter is not alone: a user's transform may ask for a mean", "[transforms]") {
  // Subtracts the mean of red, of every second image only.
  struct Centre {
    struct Draw {
      bool centre;
      float mean;
    };
    Draw draw(rt::kernels::RandomWords& random, rt::kernels::ImageSize) const {
      return {random.next() % 2 == 0, 0};
    }
    bool needs_mean(const Draw& draw) const { return draw.centre; }
    void measure(rt::kernels::PixelBlock block, const Draw&,
                 float (&quantity)[rt::kernels::kLanes]) const {
      std::copy(block.red, block.red + rt::kernels::kLanes, quantity);
    }
    void pixel(float& red, float&, float&, const Draw& draw, int, int) const { red -= draw.mean; }
  };
  const Step step{Centre{}, [](std::uint32_t place, std::int64_t index, const torch::Tensor& x) {
                    auto result = x.clone();
                    if (drawn(Centre{}, place, index, x.size(1), x.size(2)).centre) {
                      result[0] -= x[0].mean();
                    }
                    return result;
                  }};
  check_pipeline(0x1p-23, step);
  check_pipeline(0x1p-19, crop_step(40, 20), normalize_step(), step, crop_step(11, 3));
}

}  // namespace color_jitter_test
