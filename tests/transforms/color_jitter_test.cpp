#include "regtorch/transforms/color_jitter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_grayscale.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_images;
using rt::transforms::ColorJitter;
using rt::transforms::ColorJitterOptions;
using rt::transforms::Pipeline;
using rt::transforms::RandomGrayscale;

namespace {

constexpr std::uint64_t kSeed = 5;

template <class Transform>
typename Transform::Draw draw(const Transform& transform, std::uint32_t place, std::int64_t index,
                              rt::kernels::ImageSize size) {
  const auto stream = rt::Key{kSeed}.stream(rt::Purpose::kPipeline);
  rt::kernels::RandomWords random({stream.seed, stream.pass, stream.purpose + 4096 * place},
                                  static_cast<std::uint64_t>(index));
  return transform.draw(random, size);
}

torch::Tensor gray(const torch::Tensor& x) { return 0.2989 * x[0] + 0.587 * x[1] + 0.114 * x[2]; }

/// Hue by way of HSV as textbooks have it, pixel by pixel: hue in degrees, then the six sectors.
torch::Tensor turn_hue(const torch::Tensor& image, double turn) {
  auto result = image.clone();
  for (std::int64_t y = 0; y < image.size(1); ++y) {
    for (std::int64_t x = 0; x < image.size(2); ++x) {
      const double r = image[0][y][x].item<double>();
      const double g = image[1][y][x].item<double>();
      const double b = image[2][y][x].item<double>();
      const double v = std::max({r, g, b});
      const double c = v - std::min({r, g, b});
      double degrees = 0;
      if (c > 0) {
        degrees = v == r   ? 60 * (g - b) / c
                  : v == g ? 120 + 60 * (b - r) / c
                           : 240 + 60 * (r - g) / c;
      }
      degrees = std::fmod(degrees + 360 * turn + 720, 360.0);
      const double s = v > 0 ? c / v : 0;
      const int sector = static_cast<int>(degrees / 60) % 6;
      const double f = degrees / 60 - std::floor(degrees / 60);
      const double p = v * (1 - s);
      const double q = v * (1 - s * f);
      const double t = v * (1 - s * (1 - f));
      const std::array<std::array<double, 3>, 6> rgb{
          {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}};
      for (std::size_t channel = 0; channel < 3; ++channel) {
        result[static_cast<std::int64_t>(channel)][y][x] =
            rgb[static_cast<std::size_t>(sector)][channel];
      }
    }
  }
  return result;
}

/// The definition in float64, on a whole image, with what was drawn.
torch::Tensor jitter(torch::Tensor x, const ColorJitter::Draw& drawn, const ColorJitterOptions& o) {
  for (const auto step : drawn.order) {
    const double f = drawn.amount[step];
    if (step == ColorJitter::kBrightness && o.brightness() > 0) {
      x = (f * x).clamp(0, 1);
    } else if (step == ColorJitter::kContrast && o.contrast() > 0) {
      x = (f * x + (1 - f) * gray(x).mean()).clamp(0, 1);
    } else if (step == ColorJitter::kSaturation && o.saturation() > 0) {
      x = (f * x + (1 - f) * gray(x).unsqueeze(0)).clamp(0, 1);
    } else if (step == ColorJitter::kHue && o.hue() > 0) {
      x = turn_hue(x, f);
    }
  }
  return x;
}

}  // namespace

TEST_CASE("ColorJitter: each step and all of them, against the definition", "[transforms]") {
  for (const auto& options :
       {ColorJitterOptions().brightness(0.8), ColorJitterOptions().contrast(1.5),
        ColorJitterOptions().saturation(1.2), ColorJitterOptions().hue(0.5),
        ColorJitterOptions().brightness(0.4).contrast(0.4).saturation(0.4).hue(0.2)}) {
    const ColorJitter transform(options);
    for (const auto& [height, width] : {std::pair{1, 1}, {5, 31}, {4, 32}, {3, 33}, {9, 17}}) {
      const auto images = random_images(6, height, width, 3);
      const auto made = Pipeline{transform}(images, kSeed);
      for (std::int64_t i = 0; i < 6; ++i) {
        const auto drawn = draw(transform, 0, i, {height, width});
        const auto wanted = jitter(images[i].to(torch::kDouble) / 255, drawn, options);
        // At the corners of the colour circle float32 picks the neighbouring sector, where both
        // give the same colour: no tolerance for that is needed.
        CHECK(torch::allclose(made[i].to(torch::kDouble), wanted, 0, 5e-6));
      }
    }
  }
}

TEST_CASE("ColorJitter: gray, black and white keep their hue", "[transforms]") {
  auto images = torch::zeros({3, 3, 2, 2}, torch::kByte);
  images[1].fill_(255);
  images[2].fill_(100);
  const auto made = Pipeline{ColorJitter(ColorJitterOptions().hue(0.5))}(images, kSeed);
  CHECK(torch::allclose(made, images.to(torch::kFloat) / 255, 0, 1e-6));
}

TEST_CASE("ColorJitter: the mean is that of the image as it reaches the transform",
          "[transforms]") {
  // After a crop and a flip the mean is of what these left, also where a later crop cuts it off.
  const auto options = ColorJitterOptions().contrast(0.9).brightness(0.5);
  const ColorJitter transform(options);
  const rt::transforms::RandomCrop first(20, 3);
  const rt::transforms::RandomHorizontalFlip flip;
  const rt::transforms::RandomCrop last(9, 0);
  const auto images = random_images(8, 24, 40, 4);
  const auto made = Pipeline{first, flip, transform, last}(images, kSeed);
  REQUIRE(made.sizes() == c10::IntArrayRef({8, 3, 9, 9}));
  for (std::int64_t i = 0; i < 8; ++i) {
    const auto crop = draw(first, 0, i, {24, 40});
    const auto padded = torch::nn::functional::pad(
        images[i].to(torch::kDouble) / 255, torch::nn::functional::PadFuncOptions({3, 3, 3, 3}));
    auto x = padded.narrow(1, crop.top + 3, 20).narrow(2, crop.left + 3, 20);
    x = draw(flip, 1, i, {20, 20}).flip ? x.flip(2) : x;
    x = jitter(x, draw(transform, 2, i, {20, 20}), options);
    const auto cut = draw(last, 3, i, {20, 20});
    x = x.narrow(1, cut.top, 9).narrow(2, cut.left, 9);
    CHECK(torch::allclose(made[i].to(torch::kDouble), x, 0, 5e-6));
  }
}

TEST_CASE("ColorJitter: two in a row, in other formats, and before Normalize", "[transforms]") {
  const auto options = ColorJitterOptions().contrast(0.5).saturation(0.5);
  const ColorJitter transform(options);
  const rt::transforms::Normalize normalize({0.5, 0.5, 0.5}, {0.25, 0.25, 0.25});
  const auto images = random_images(5, 33, 7, 6);
  const auto indices = torch::tensor({11, 3, 5, 8, 1});
  const Pipeline pipeline{transform, transform, normalize};
  const auto made = pipeline(images, rt::Key{kSeed}, indices);
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto index = indices[i].item<std::int64_t>();
    auto x = images[i].to(torch::kDouble) / 255;
    x = jitter(x, draw(transform, 0, index, {33, 7}), options);
    x = jitter(x, draw(transform, 1, index, {33, 7}), options);
    CHECK(torch::allclose(made[i].to(torch::kDouble), (x - 0.5) / 0.25, 0, 5e-5));
  }
  const auto last =
      pipeline(images, rt::Key{kSeed}, indices, {torch::kBFloat16, at::MemoryFormat::ChannelsLast});
  CHECK(last.equal(made.to(torch::kBFloat16)));
  CHECK(pipeline(images.permute({0, 1, 3, 2}).contiguous().permute({0, 1, 3, 2}), rt::Key{kSeed},
                 indices)
            .equal(made));
  const rt::testing::Threads threads(1);
  CHECK(pipeline(images, rt::Key{kSeed}, indices).equal(made));
  CHECK(pipeline(images.slice(0, 2, 3), rt::Key{kSeed}, indices.slice(0, 2, 3))[0].equal(made[2]));
}

TEST_CASE("ColorJitter: orders and factors are uniform", "[transforms]") {
  const ColorJitter transform(
      ColorJitterOptions().brightness(0.4).contrast(2).saturation(0.1).hue(0.3));
  const int n = 24000;
  std::map<std::array<ColorJitter::Step, 4>, int> orders;
  std::array<std::vector<double>, 4> amounts;
  for (int i = 0; i < n; ++i) {
    const auto drawn = draw(transform, 0, i, {32, 32});
    ++orders[drawn.order];
    for (std::size_t k = 0; k < 4; ++k) {
      amounts[k].push_back(drawn.amount[k]);
    }
  }
  REQUIRE(orders.size() == 24);
  double chi_square = 0;
  for (const auto& [order, count] : orders) {
    chi_square += std::pow(count - n / 24.0, 2) / (n / 24.0);
  }
  CHECK(chi_square < 23 + 5 * std::sqrt(46.0));
  const std::array<std::pair<double, double>, 4> ranges{
      {{0.6, 1.4}, {0.0, 3.0}, {0.9, 1.1}, {-0.3, 0.3}}};
  for (std::size_t k = 0; k < 4; ++k) {
    const auto [low, high] = ranges[k];
    std::sort(amounts[k].begin(), amounts[k].end());
    CHECK(amounts[k].front() >= low - 1e-6);
    CHECK(amounts[k].back() <= high + 1e-6);
    double distance = 0;
    for (int i = 0; i < n; ++i) {
      const double share = (amounts[k][static_cast<std::size_t>(i)] - low) / (high - low);
      distance = std::max(distance, std::abs(share - (i + 0.5) / n));
    }
    CHECK(distance < 1.95 / std::sqrt(n));
  }
}

TEST_CASE("RandomGrayscale: the formula for a share p of the images", "[transforms]") {
  const auto images = random_images(3000, 2, 3, 8);
  for (const double p : {0.0, 0.1, 0.7, 1.0}) {
    const auto made = Pipeline{RandomGrayscale(p)}(images, kSeed);
    const auto x = images.to(torch::kDouble) / 255;
    const auto g = 0.2989 * x.select(1, 0) + 0.587 * x.select(1, 1) + 0.114 * x.select(1, 2);
    int touched = 0;
    for (std::int64_t i = 0; i < 3000; ++i) {
      const bool gray = made[i][0].equal(made[i][1]) && made[i][1].equal(made[i][2]);
      touched += gray ? 1 : 0;
      const auto wanted = gray ? g[i].unsqueeze(0).expand({3, 2, 3}) : x[i];
      REQUIRE(torch::allclose(made[i].to(torch::kDouble), wanted, 0, 1e-6));
    }
    CHECK(std::abs(touched / 3000.0 - p) <= 5 * std::sqrt(p * (1 - p) / 3000));
  }
}

TEST_CASE("ColorJitter, RandomGrayscale: bad options are named", "[transforms]") {
  CHECK(contains(error_of([] { ColorJitter(ColorJitterOptions().brightness(-1)); }),
                 "wanted a brightness of at least 0, got -1"));
  CHECK(contains(error_of([] { ColorJitter(ColorJitterOptions().contrast(std::nan(""))); }),
                 "contrast"));
  CHECK(
      contains(error_of([] { ColorJitter(ColorJitterOptions().saturation(-0.1)); }), "saturation"));
  CHECK(contains(error_of([] { ColorJitter(ColorJitterOptions().hue(0.6)); }),
                 "wanted a hue in [0, 0.5], got 0.6"));
  CHECK(contains(error_of([] { RandomGrayscale(1.1); }), "wanted p in [0, 1], got 1.1"));
}
