#include "regtorch/transforms/random_horizontal_flip.hpp"

#include <cmath>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/pipeline.hpp"

namespace random_horizontal_flip_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_images;
using rt::transforms::Pipeline;
using rt::transforms::RandomHorizontalFlip;

TEST_CASE("RandomHorizontalFlip mirrors a share p of the images", "[transforms]") {
  for (const double p : {0.0, 0.3, 1.0}) {
    for (const std::int64_t width : {1, 7, 32, 33, 65}) {
      const std::int64_t count = 2000;
      const auto images = random_images(count, 2, width);
      const auto floats = images.to(torch::kFloat) * (1.0f / 255.0f);
      const auto result = Pipeline{RandomHorizontalFlip(p)}(images, 1);
      const auto kept = result.eq(floats).flatten(1).all(1);
      const auto mirrored = result.eq(floats.flip(3)).flatten(1).all(1);
      REQUIRE(kept.logical_or(mirrored).all().item<bool>());
      if (width > 1) {
        const double share =
            mirrored.logical_and(kept.logical_not()).to(torch::kDouble).mean().item<double>();
        CHECK(std::abs(share - p) <= 5 * std::sqrt(p * (1 - p) / count));  // five deviations
      }
    }
  }
}

TEST_CASE("RandomHorizontalFlip refuses what is no probability", "[transforms]") {
  CHECK(contains(error_of([] { RandomHorizontalFlip(-0.1); }), "wanted p in [0, 1], got -0.1"));
  CHECK(contains(error_of([] { RandomHorizontalFlip(1.5); }), "got 1.5"));
  CHECK(contains(error_of([] { RandomHorizontalFlip(std::nan("")); }), "got nan"));
}

}  // namespace random_horizontal_flip_test
