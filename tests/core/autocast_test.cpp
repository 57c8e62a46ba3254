#include "regtorch/core/autocast.hpp"

#include <stdexcept>

#include "catch.hpp"

namespace autocast_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {
bool enabled() { return at::autocast::is_autocast_enabled(at::kCPU); }
}  // namespace

TEST_CASE("autocast lasts as long as its guard and restores what was there", "[core]") {
  const auto before = at::autocast::get_autocast_dtype(at::kCPU);
  const auto a = torch::rand({4, 4});
  {
    const rt::Autocast outer(at::kCPU, at::kBFloat16);
    CHECK(torch::matmul(a, a).scalar_type() == at::kBFloat16);
    {
      const rt::Autocast inner(at::kCPU, at::kHalf);
      CHECK(torch::matmul(a, a).scalar_type() == at::kHalf);
    }
    CHECK(torch::matmul(a, a).scalar_type() == at::kBFloat16);
  }
  CHECK_FALSE(enabled());
  CHECK(at::autocast::get_autocast_dtype(at::kCPU) == before);
  CHECK(torch::matmul(a, a).scalar_type() == at::kFloat);
}

TEST_CASE("autocast without a type changes nothing", "[core]") {
  const rt::Autocast region(at::kCPU, std::nullopt);
  CHECK_FALSE(enabled());
}

TEST_CASE("autocast ends when an exception leaves the region", "[core]") {
  (void)error_of([] {
    const rt::Autocast region(at::kCPU, at::kBFloat16);
    throw std::runtime_error("out");
  });
  CHECK_FALSE(enabled());
}

TEST_CASE("a weight changed after a region is seen by the next one", "[core]") {
  // LibTorch's cache of cast weights outlives a region unless it is cleared.
  auto weight = torch::ones({2, 2}).requires_grad_();
  const auto input = torch::ones({2, 2});
  const auto product = [&] {
    const rt::Autocast region(at::kCPU, at::kBFloat16);
    return torch::matmul(input, weight).sum().item<double>();
  };
  CHECK(product() == 8);
  {
    const torch::NoGradGuard no_grad;
    weight.fill_(2);
  }
  CHECK(product() == 16);
}

TEST_CASE("autocast refuses a type it cannot compute in", "[core]") {
  const auto message = error_of([] { const rt::Autocast region(at::kCPU, at::kLong); });
  CHECK(contains(message, "wanted BFloat16 or Half, got Long"));
  CHECK_FALSE(enabled());
}

}  // namespace autocast_test
