#include "regtorch/transforms/random_erasing.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/cutout.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_images;
using rt::transforms::Cutout;
using rt::transforms::Pipeline;
using rt::transforms::RandomErasing;
using rt::transforms::RandomErasingOptions;

namespace {

constexpr std::uint64_t kSeed = 6;

template <class Transform>
typename Transform::Draw draw(const Transform& transform, std::uint32_t place, std::int64_t index,
                              rt::kernels::ImageSize size) {
  const auto stream = rt::Key{kSeed}.stream(rt::Purpose::kPipeline);
  rt::kernels::RandomWords random({stream.seed, stream.pass, stream.purpose + 4096 * place},
                                  static_cast<std::uint64_t>(index));
  return transform.draw(random, size);
}

/// A rectangle of a copy of `image`, filled; what lies outside is cut off.
torch::Tensor filled(const torch::Tensor& image, std::int64_t top, std::int64_t left,
                     std::int64_t bottom, std::int64_t right, const std::vector<double>& color) {
  auto result = image.clone();
  const auto clip = [](std::int64_t i, std::int64_t side) {
    return std::min(std::max<std::int64_t>(i, 0), side);
  };
  for (std::int64_t c = 0; c < 3; ++c) {
    result[c]
        .slice(0, clip(top, image.size(1)), clip(bottom, image.size(1)))
        .slice(1, clip(left, image.size(2)), clip(right, image.size(2)))
        .fill_(color[static_cast<std::size_t>(c)]);
  }
  return result;
}

double chi_square(const std::vector<double>& counts) {
  double total = 0;
  for (const double count : counts) {
    total += count;
  }
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const double count : counts) {
    sum += (count - expected) * (count - expected) / expected;
  }
  return sum;
}

}  // namespace

TEST_CASE("Cutout: covers the square around its centre", "[transforms]") {
  for (const int size : {1, 2, 7, 16, 100}) {
    const Cutout cutout(size, {0.1, -2, 3});
    for (const auto& [height, width] : {std::pair{1, 1}, {5, 31}, {8, 32}, {3, 33}, {45, 17}}) {
      const auto images = random_images(7, height, width, 1);
      const auto made = Pipeline{cutout}(images, kSeed);
      for (std::int64_t i = 0; i < 7; ++i) {
        // The centre, from the random words themselves.
        const auto stream = rt::Key{kSeed}.stream(rt::Purpose::kPipeline);
        const auto words = stream.block(static_cast<std::uint64_t>(i));
        const auto at = [](std::uint32_t word, int side) {
          return static_cast<std::int64_t>(word / 4294967296.0 * side);
        };
        const auto top = at(words[0], height) - size / 2;
        const auto left = at(words[1], width) - size / 2;
        const auto wanted = filled(images[i].to(torch::kFloat) / 255, top, left, top + size,
                                   left + size, {0.1, -2, 3});
        CHECK(torch::allclose(made[i], wanted, 0, 1e-6));
      }
    }
  }
}

TEST_CASE("Cutout: centres are uniform, and cover the mean after Normalize", "[transforms]") {
  const Cutout cutout(3);
  std::vector<double> rows(8, 0);
  std::vector<double> columns(20, 0);
  for (int i = 0; i < 16000; ++i) {
    const auto drawn = draw(cutout, 0, i, {8, 20});
    rows.at(static_cast<std::size_t>(drawn.top + 1)) += 1;
    columns.at(static_cast<std::size_t>(drawn.left + 1)) += 1;
  }
  CHECK(chi_square(rows) < 7 + 5 * std::sqrt(14.0));
  CHECK(chi_square(columns) < 19 + 5 * std::sqrt(38.0));
  const rt::transforms::Normalize normalize({0.4, 0.5, 0.6}, {0.2, 0.2, 0.2});
  const auto images = random_images(4, 40, 40);
  const auto before = Pipeline{Cutout(100, {0.4, 0.5, 0.6}), normalize}(images, kSeed);
  const auto after = Pipeline{normalize, Cutout(100)}(images, kSeed);
  CHECK(torch::allclose(before, after, 0, 1e-6));
  CHECK(after.abs().max().item<double>() == 0);
}

TEST_CASE("RandomErasing: erases what it draws, for a share p of the images", "[transforms]") {
  const auto options = RandomErasingOptions().p(0.6).fill({0.25, 0.5, 1});
  const RandomErasing erasing(options);
  const rt::transforms::RandomCrop crop(20, 2);
  const auto images = random_images(400, 24, 24, 2);
  const auto cropped = Pipeline{crop}(images, kSeed);
  const auto made = Pipeline{crop, erasing}(images, kSeed);
  int touched = 0;
  for (std::int64_t i = 0; i < 400; ++i) {
    const auto d = draw(erasing, 1, i, {20, 20});
    touched += d.height > 0 ? 1 : 0;
    REQUIRE(made[i].equal(
        filled(cropped[i], d.top, d.left, d.top + d.height, d.left + d.width, {0.25, 0.5, 1})));
  }
  CHECK(std::abs(touched / 400.0 - 0.6) < 5 * std::sqrt(0.24 / 400));
  CHECK(Pipeline{RandomErasing(RandomErasingOptions().p(0))}(images, kSeed)
            .equal(Pipeline{rt::transforms::RandomCrop(24)}(images, kSeed)));
}

TEST_CASE("RandomErasing: areas, ratios and places as the formula says", "[transforms]") {
  const RandomErasing erasing(RandomErasingOptions().p(1).scale({0.1, 0.2}).ratio({0.5, 2.0}));
  const int n = 20000;
  const int side = 1000;  // rounding to whole pixels matters little
  std::vector<double> areas(10, 0);
  std::vector<double> ratios(10, 0);
  std::vector<double> places(10, 0);
  for (int i = 0; i < n; ++i) {
    const auto d = draw(erasing, 0, i, {side, side});
    REQUIRE(d.height > 0);
    REQUIRE(d.top >= 0);
    REQUIRE(d.top + d.height <= side);
    REQUIRE(d.left >= 0);
    REQUIRE(d.left + d.width <= side);
    const auto bin = [](double share) {
      return static_cast<std::size_t>(std::min(std::max(share, 0.0), 0.999) * 10);
    };
    areas[bin((d.height * d.width / 1e6 - 0.1) / 0.1)] += 1;
    ratios[bin((std::log(static_cast<double>(d.height) / d.width) + std::log(2.0)) /
               std::log(4.0))] += 1;
    places[bin((d.top + 0.5) / (side - d.height + 1))] += 1;
  }
  for (const auto& counts : {areas, ratios, places}) {
    CHECK(chi_square(counts) < 9 + 5 * std::sqrt(18.0));
  }
  // What never fits is given up after ten times; an image of one pixel has no smaller rectangle.
  const RandomErasing wide(RandomErasingOptions().p(1).scale({1, 1}));
  CHECK(draw(wide, 0, 0, {32, 32}).height == 0);
  CHECK(draw(erasing, 0, 0, {1, 1}).height == 0);
}

TEST_CASE("RandomErasing: noise is standard normal and stays at its place", "[transforms]") {
  const RandomErasing erasing(
      RandomErasingOptions().p(1).scale({0.9, 0.9}).ratio({1, 1}).noise(true));
  const auto images = torch::full({30, 3, 64, 64}, 255, torch::kByte);
  const auto made = Pipeline{erasing}(images, kSeed);
  std::vector<torch::Tensor> all;
  for (std::int64_t i = 0; i < 30; ++i) {
    const auto d = draw(erasing, 0, i, {64, 64});
    all.push_back(made[i].narrow(1, d.top, d.height).narrow(2, d.left, d.width).flatten());
  }
  auto values = std::get<0>(torch::cat(all).to(torch::kDouble).sort());
  const auto n = static_cast<double>(values.numel());
  REQUIRE(n > 300'000);
  const auto cdf = 0.5 * torch::erfc(-values / std::sqrt(2.0));
  const auto rank = (torch::arange(values.numel(), torch::kDouble) + 0.5) / n;
  CHECK((cdf - rank).abs().max().item<double>() < 1.95 / std::sqrt(n));
  // Channels, pixels and images are not the same noise.
  CHECK(std::abs((made[0][0] * made[0][1]).mean().item<double>() - 0.1) < 0.1);
  CHECK_FALSE(all[0].slice(0, 0, 100).equal(all[1].slice(0, 0, 100)));
  CHECK(std::get<0>(at::_unique2(all[0])).numel() > all[0].numel() * 99 / 100);
  const rt::testing::Threads threads(1);
  CHECK(Pipeline{erasing}(images, kSeed).equal(made));
}

TEST_CASE("Cutout, RandomErasing: bad options are named", "[transforms]") {
  CHECK(contains(error_of([] { Cutout(0); }), "got 0"));
  CHECK(contains(error_of([] {
                   Cutout(8, {0, std::nan(""), 0});
                 }),
                 "finite fill, got nan for channel 1"));
  const auto message = [](const RandomErasingOptions& options) {
    return error_of([&] { RandomErasing{options}; });
  };
  CHECK(contains(message(RandomErasingOptions().p(-0.5)), "wanted p in [0, 1], got -0.5"));
  CHECK(contains(message(RandomErasingOptions().scale({0, 0.5})), "got (0, 0.5)"));
  CHECK(contains(message(RandomErasingOptions().scale({0.5, 0.4})), "got (0.5, 0.4)"));
  CHECK(contains(message(RandomErasingOptions().scale({0.5, 1.4})), "got (0.5, 1.4)"));
  CHECK(contains(message(RandomErasingOptions().ratio({2, 1})), "wanted a ratio"));
  CHECK(contains(message(RandomErasingOptions().fill({0, 0, HUGE_VAL})), "got inf for channel 2"));
}
