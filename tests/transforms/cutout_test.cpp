#include "regtorch/transforms/cutout.hpp"

#include <cmath>

#include "catch.hpp"
#include "reference.hpp"

namespace cutout_test {

using namespace regtorch::testing;
using rt::transforms::Cutout;
using rt::transforms::Pipeline;

namespace {

/// The centre comes from the random words themselves, as the doc says it is drawn.
auto cutout_step(int size, std::array<double, 3> fill) {
  return Step{
      Cutout(size, fill), [=](std::uint32_t place, std::int64_t index, const torch::Tensor& x) {
        auto random = words(place, index);
        const auto inside = [&](std::int64_t side) {
          const auto centre = std::floor(random.next() * 0x1p-32 * static_cast<double>(side));
          const auto first = static_cast<std::int64_t>(centre) - size / 2;
          const auto at = torch::arange(side);
          return (at >= first).logical_and(at < first + size);
        };
        const auto rows = inside(x.size(1)).view({-1, 1});
        return torch::where(rows.logical_and(inside(x.size(2))), column(fill), x);
      }};
}

}  // namespace

TEST_CASE("Cutout covers a square, anywhere in a pipeline", "[transforms]") {
  check_pipeline(0x1p-23, cutout_step(7, {0, 0, 0}));
  check_pipeline(0x1p-23, cutout_step(8, {0.25, -1, 2}), flip_step());
  check_pipeline(0x1p-20, normalize_step(), cutout_step(1, {3, 3, 3}), crop_step(20, 10),
                 cutout_step(5, {0, 0, 0}));
  check_pipeline(0x1p-20, crop_step(33, 16), flip_step(), cutout_step(40, {1, 0, 1}),
                 normalize_step(), cutout_step(8, {0.25, -1, 2}));
}

TEST_CASE("Cutout's centre is uniform over the pixels", "[transforms]") {
  const Cutout cutout(4);
  std::vector<double> counts(7 * 9, 0);
  for (std::int64_t i = 0; i < 30000; ++i) {
    const auto draw = drawn(cutout, 0, i, 7, 9);
    counts.at(static_cast<std::size_t>((draw.top + 2) * 9 + draw.left + 2)) += 1;
  }
  CHECK(looks_uniform(counts));
}

TEST_CASE("Cutout covers size^2 pixels, or what of them is in the image", "[transforms]") {
  const auto images = torch::full({200, 3, 32, 32}, 255, torch::kByte);
  for (const int size : {1, 2, 15, 16}) {
    const auto covered =
        Pipeline{Cutout(size)}(images, 3).select(1, 0).eq(0).sum({1, 2}).to(torch::kLong);
    CHECK(covered.max().item<std::int64_t>() == size * size);
    // In a corner, at the least, what is not above or left of the centre.
    CHECK(covered.min().item<std::int64_t>() >= (size - size / 2) * (size / 2 + 1) / 2);
  }
  CHECK(Pipeline{Cutout(64)}(images, 3).abs().max().item<float>() == 0);
}

TEST_CASE("Cutout refuses sizes and fills out of range", "[transforms]") {
  CHECK(contains(error_of([] { Cutout(0); }), "Cutout: wanted a size in [1, 32768), got 0"));
  CHECK(contains(error_of([] { Cutout(1 << 15); }), "got 32768"));
  CHECK(contains(error_of([] {
                   Cutout(8, {0, std::nan(""), 0});
                 }),
                 "Cutout: wanted a fill that is finite in float32, got nan for channel 1"));
}

}  // namespace cutout_test
