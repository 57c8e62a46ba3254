#include "regtorch/transforms/random_grayscale.hpp"

#include <cmath>

#include "catch.hpp"
#include "reference.hpp"

namespace random_grayscale_test {

using namespace regtorch::testing;
using rt::transforms::Pipeline;
using rt::transforms::RandomGrayscale;

namespace {

auto grayscale_step(double p) {
  const RandomGrayscale grayscale(p);
  return Step{grayscale, [=](std::uint32_t place, std::int64_t index, const torch::Tensor& x) {
                const auto gray = 0.2989 * x[0] + 0.587 * x[1] + 0.114 * x[2];
                return drawn(grayscale, place, index, x.size(1), x.size(2)).gray ? gray.expand_as(x)
                                                                                 : x;
              }};
}

}  // namespace

TEST_CASE("RandomGrayscale weighs the channels, anywhere in a pipeline", "[transforms]") {
  check_pipeline(0x1p-22, grayscale_step(0.5));
  check_pipeline(0x1p-22, grayscale_step(1), flip_step());
  check_pipeline(0x1p-19, crop_step(33, 16), grayscale_step(0.5), flip_step(), normalize_step(),
                 grayscale_step(0.5));
}

TEST_CASE("RandomGrayscale takes the colour from a share p of the images", "[transforms]") {
  const std::int64_t count = 2000;
  const auto images = random_images(count, 2, 33);
  const auto floats = Pipeline<>{}(images, 0);
  for (const double p : {0.0, 0.1, 0.7, 1.0}) {
    const auto result = Pipeline{RandomGrayscale(p)}(images, 1);
    const auto kept = result.eq(floats).flatten(1).all(1);
    const auto gray = result.eq(result.slice(1, 0, 1)).flatten(1).all(1);
    REQUIRE(kept.logical_xor(gray).all().item<bool>());
    const double share = gray.to(torch::kDouble).mean().item<double>();
    CHECK(std::abs(share - p) <= 5 * std::sqrt(p * (1 - p) / count));  // five deviations
  }
  CHECK(Pipeline{RandomGrayscale()}(images, 1).equal(Pipeline{RandomGrayscale(0.1)}(images, 1)));
}

TEST_CASE("RandomGrayscale refuses what is no probability", "[transforms]") {
  CHECK(contains(error_of([] { RandomGrayscale(-0.1); }),
                 "RandomGrayscale: wanted p in [0, 1], got -0.1"));
  CHECK(contains(error_of([] { RandomGrayscale(1.5); }), "got 1.5"));
  CHECK(contains(error_of([] { RandomGrayscale(std::nan("")); }), "got nan"));
}

}  // namespace random_grayscale_test
