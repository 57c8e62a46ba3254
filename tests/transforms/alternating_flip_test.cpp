#include "regtorch/transforms/alternating_flip.hpp"

#include <cmath>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"

namespace alternating_flip_test {

using regtorch::testing::random_images;
using rt::transforms::AlternatingFlip;
using rt::transforms::Pipeline;
using rt::transforms::RandomCrop;

TEST_CASE("AlternatingFlip mirrors half of the images, and the others in the next pass",
          "[transforms]") {
  constexpr std::int64_t kCount = 2000;
  const Pipeline pipeline{AlternatingFlip()};
  for (const std::int64_t width : {2, 7, 32, 33, 65}) {
    const auto images = random_images(kCount, 2, width);
    const auto floats = images.to(torch::kFloat) * (1.0f / 255.0f);
    // Numbers above 2^32, in no order.
    const auto indices = torch::arange(kCount, torch::kLong) * 7919 + (std::int64_t{1} << 33);
    const auto mirrored_in = [&](std::uint64_t seed, std::uint64_t pass) {
      const auto result = pipeline(images, rt::Key{seed, pass}, indices);
      const auto kept = result.eq(floats).flatten(1).all(1);
      const auto mirrored = result.eq(floats.flip(3)).flatten(1).all(1);
      REQUIRE(kept.logical_or(mirrored).all().item<bool>());
      return mirrored.logical_and(kept.logical_not());
    };
    const auto first = mirrored_in(1, 0);
    const double share = first.to(torch::kDouble).mean().item<double>();
    CHECK(std::abs(share - 0.5) <= 5 * std::sqrt(0.25 / kCount));  // five deviations
    for (const std::uint64_t pass : {2, 4, 1000}) {
      CHECK(mirrored_in(1, pass).equal(first));
      // Images that are their own mirror images are never said to be mirrored.
      const auto either = mirrored_in(1, pass + 1).logical_xor(first);
      const auto symmetric = images.eq(images.flip(3)).flatten(1).all(1);
      CHECK(either.logical_or(symmetric).all().item<bool>());
    }
    // Another seed's halves are others: the two agree on half of the images.
    const double agreeing = mirrored_in(2, 0).eq(first).to(torch::kDouble).mean().item<double>();
    CHECK(std::abs(agreeing - 0.5) <= 5 * std::sqrt(0.25 / kCount));
  }
}

TEST_CASE("AlternatingFlip leaves the draws of the transforms beside it alone", "[transforms]") {
  const auto images = random_images(64, 9, 11);
  const auto indices = torch::arange(64, torch::kLong);
  for (const std::uint64_t pass : {0, 1}) {
    const rt::Key key{3, pass};
    // A crop after the flip draws what it draws where nothing flips.
    const auto both = Pipeline{AlternatingFlip(), RandomCrop(9, 2)}(images, key, indices);
    const auto flipped = Pipeline{AlternatingFlip()}(images, key, indices);
    const auto back = (flipped * 255).round().to(torch::kByte);
    struct Nothing {
      void pixel(float&, float&, float&) const {}
    };
    CHECK(both.equal(Pipeline{Nothing(), RandomCrop(9, 2)}(back, key, indices)));
  }
}

}  // namespace alternating_flip_test
