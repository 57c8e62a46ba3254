#include "regtorch/transforms/random_crop.hpp"

#include <array>
#include <cmath>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/pipeline.hpp"

namespace random_crop_test {

namespace F = torch::nn::functional;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_images;
using rt::transforms::PaddingMode;
using rt::transforms::Pipeline;
using rt::transforms::RandomCrop;

namespace {

/// The offset (top, left) of `crop` in `padded`; fails if it is in no place or in several.
std::pair<std::int64_t, std::int64_t> find_crop(const torch::Tensor& padded,
                                                const torch::Tensor& crop) {
  std::vector<std::pair<std::int64_t, std::int64_t>> found;
  const auto height = crop.size(1);
  const auto width = crop.size(2);
  for (std::int64_t top = 0; top + height <= padded.size(1); ++top) {
    for (std::int64_t left = 0; left + width <= padded.size(2); ++left) {
      if (padded.slice(1, top, top + height).slice(2, left, left + width).equal(crop)) {
        found.emplace_back(top, left);
      }
    }
  }
  REQUIRE(found.size() == 1);
  return found.front();
}

}  // namespace

TEST_CASE("RandomCrop cuts a window out of the padded image", "[transforms]") {
  struct Case {
    std::int64_t height, width;
    int size, padding;
  };
  for (const auto& [height, width, size, padding] :
       {Case{32, 32, 32, 4}, Case{16, 33, 15, 2}, Case{33, 17, 33, 9}, Case{40, 70, 31, 0}}) {
    const auto images = random_images(6, height, width);
    const auto floats = images.to(torch::kFloat) * (1.0f / 255.0f);
    const auto pad = F::PadFuncOptions({padding, padding, padding, padding});
    const auto zero = F::pad(floats, pad);
    const auto crops = Pipeline{RandomCrop(size, padding)}(images, 5);
    REQUIRE(crops.sizes() == torch::IntArrayRef({6, 3, size, size}));
    const auto reflect = F::pad(
        floats, F::PadFuncOptions({padding, padding, padding, padding}).mode(torch::kReflect));
    const auto mirrored = Pipeline{RandomCrop(size, padding, PaddingMode::kReflect)}(images, 5);
    for (std::int64_t n = 0; n < 6; ++n) {
      // The same draw in both modes, so the same place.
      CHECK(find_crop(zero[n], crops[n]) == find_crop(reflect[n], mirrored[n]));
    }
  }
}

TEST_CASE("RandomCrop's places are uniform", "[transforms]") {
  // An image whose padded pixels are all different tells the place by the crop's first pixel.
  const RandomCrop crop(4, 2);
  const int draws = 20000;
  std::array<double, 25> counts{};
  for (std::uint64_t i = 0; i < draws; ++i) {
    rt::kernels::RandomWords random({3, 0, 0}, i);
    const auto draw = crop.draw(random, {4, 4});
    REQUIRE(draw.top >= -2);
    REQUIRE(draw.top <= 2);
    ++counts.at(static_cast<std::size_t>((draw.top + 2) * 5 + draw.left + 2));
  }
  double chi_square = 0;
  for (const double count : counts) {
    chi_square += (count - draws / 25.0) * (count - draws / 25.0) / (draws / 25.0);
  }
  CHECK(chi_square < 24 + 5 * std::sqrt(48.0));  // five standard deviations
}

TEST_CASE("RandomCrop refuses sizes that do not fit", "[transforms]") {
  CHECK(contains(error_of([] { RandomCrop(0); }), "wanted a size in [1, 32768), got 0"));
  CHECK(contains(error_of([] { RandomCrop(3, -1); }), "wanted a padding in [0, 32768), got -1"));
  const auto images = random_images(1, 8, 20);
  CHECK(contains(error_of([&] { Pipeline{RandomCrop(11, 1)}(images, 0); }),
                 "wanted images of at least 11x11 after padding by 1, got 8x20"));
  CHECK(contains(error_of([&] { Pipeline{RandomCrop(8, 8, PaddingMode::kReflect)}(images, 0); }),
                 "got padding 8 for 8x20"));
}

}  // namespace random_crop_test
