#include "regtorch/models/whitening.hpp"

#include <cmath>

#include "catch.hpp"

namespace whitening_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

/// Images whose neighbouring pixels and channels resemble each other.
torch::Tensor smooth_images(std::int64_t count) {
  const auto noise =
      torch::randn({count, 3, 10, 12}, at::make_generator<at::CPUGeneratorImpl>(1), torch::kDouble);
  return torch::avg_pool2d(noise, 3, 1) + 0.5 * noise.mean(1, true).slice(2, 1, 9).slice(3, 1, 11);
}

}  // namespace

TEST_CASE("whitening_filters make outputs uncorrelated and of size 1", "[models]") {
  for (const std::int64_t size : {1, 2, 3}) {
    const auto images = smooth_images(200);
    const double eps = 1e-9;  // far below the smallest eigenvalue
    const auto filters = rt::whitening_filters(images, size, eps);
    const std::int64_t count = 3 * size * size;
    REQUIRE(filters.sizes() == torch::IntArrayRef({2 * count, 3, size, size}));
    CHECK(filters.slice(0, 0, count).equal(-filters.slice(0, count)));
    const auto out = torch::conv2d(images, filters.slice(0, 0, count));
    const auto rows = out.transpose(0, 1).flatten(1);
    const auto covariance = rows.mm(rows.t()) / static_cast<double>(rows.size(1));
    CHECK(covariance.allclose(torch::eye(count, torch::kDouble), 0, 1e-5));
    // Eigenvalues descend, so the filters' norms, 1 / sqrt(lambda + eps), rise.
    const auto norms = filters.slice(0, 0, count).flatten(1).norm(2, 1);
    CHECK(norms.diff().min().item<double>() >= 0);
  }
}

TEST_CASE("whitening_filters: eps bounds the filters, and the type is the images'", "[models]") {
  const auto images = smooth_images(50);
  const double eps = 0.25;
  const auto filters = rt::whitening_filters(images, 2, eps);
  CHECK(filters.flatten(1).norm(2, 1).max().item<double>() <= 1 / std::sqrt(eps));
  const auto floats = rt::whitening_filters(images.to(torch::kFloat), 2, eps);
  CHECK(floats.scalar_type() == torch::kFloat);
  // Vectors may come out negated: both signs are there.
  const auto products = floats.to(torch::kDouble).flatten(1).mm(filters.flatten(1).t());
  CHECK(std::get<0>(products.max(1))
            .allclose(floats.to(torch::kDouble).flatten(1).pow(2).sum(1), 0, 1e-4));
  // One patch repeated, of an image without variation: all other eigenvalues are 0.
  const auto flat = rt::whitening_filters(torch::ones({2, 1, 4, 4}, torch::kDouble), 2, eps);
  CHECK(flat.isfinite().all().item<bool>());
}

TEST_CASE("whitening_filters says what is wrong", "[models]") {
  const auto images = torch::ones({2, 3, 4, 5});
  const auto error = [&](const torch::Tensor& of, std::int64_t size, double eps) {
    return error_of([&] { rt::whitening_filters(of, size, eps); });
  };
  CHECK(contains(error(images[0], 2, 1), "wanted floating-point images [N,C,H,W], got Float [3"));
  CHECK(contains(error(images.to(torch::kByte), 2, 1), "got Byte"));
  CHECK(contains(error(images.slice(0, 0, 0), 2, 1), "got Float [0"));
  CHECK(contains(error(images, 0, 1), "a size from 1 to the images' sides, got 0"));
  CHECK(contains(error(images, 5, 1), "got 5 for Float [2, 3, 4, 5]"));
  CHECK(contains(error(images, 2, 0), "an eps above 0, got 0"));
}

}  // namespace whitening_test
