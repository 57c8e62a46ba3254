#include "regtorch/transforms/normalize.hpp"

#include <limits>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/pipeline.hpp"

namespace normalize_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_images;
using rt::transforms::Normalize;

TEST_CASE("Normalize computes what torchvision's ToTensor and Normalize do", "[transforms]") {
  const std::array<double, 3> mean{0.4914, 0.4822, 0.4465};
  const std::array<double, 3> std{0.2470, 0.2435, 0.2616};
  const rt::transforms::Pipeline normalize{Normalize(mean, std)};
  const auto images = torch::arange(256, torch::kByte).view({1, 1, 16, 16}).repeat({2, 3, 1, 1});
  const auto got = normalize(images, 0);
  REQUIRE(got.scalar_type() == torch::kFloat);

  const auto m = torch::tensor({0.4914, 0.4822, 0.4465}, torch::kDouble).view({3, 1, 1});
  const auto s = torch::tensor({0.2470, 0.2435, 0.2616}, torch::kDouble).view({3, 1, 1});
  const auto exact = (images.to(torch::kDouble) / 255 - m) / s;
  // The doc's bound, with |x| <= 1, |mean| < 0.5, 1 / std < 4.2.
  CHECK((got.to(torch::kDouble) - exact).abs().max().item<double>() <= 4 * 1.5 * 4.2 * 0x1p-24);
  // torchvision's own arithmetic, in float32, is as far from the exact value.
  const auto torchvision =
      images.to(torch::kFloat).div(255).sub(m.to(torch::kFloat)).div(s.to(torch::kFloat));
  CHECK(torch::allclose(got, torchvision, 0, 2 * 4 * 1.5 * 4.2 * 0x1p-24));
}

TEST_CASE("Normalize refuses what it cannot divide by", "[transforms]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto error = [](std::array<double, 3> mean, std::array<double, 3> std) {
    return error_of([&] { Normalize(mean, std); });
  };
  CHECK(
      contains(error({0, 0, 0}, {1, 0, 1}), "wanted a positive, finite std, got 0 for channel 1"));
  CHECK(contains(error({0, 0, 0}, {1, 1, -1}), "got -1 for channel 2"));
  CHECK(contains(error({0, nan, 0}, {1, 1, 1}), "wanted a finite mean, got nan for channel 1"));
  CHECK(contains(error({0, 0, 0}, {1, 1e-39, 1}), "finite in float32, got mean 0 and std 1e-39"));
  CHECK(contains(error({1e30, 0, 0}, {1e-30, 1, 1}), "got mean 1e+30 and std 1e-30 for channel 0"));
}

}  // namespace normalize_test
