#include "regtorch/layers/max_pool2x2.hpp"

#include <limits>
#include <vector>

#include "catch.hpp"

namespace max_pool2x2_test {

using regtorch::testing::error_of;
using regtorch::testing::Threads;

namespace {

constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;

/// Few different numbers, so that many are equal, and some nan.
torch::Tensor images_of(const std::vector<std::int64_t>& sizes, torch::ScalarType type) {
  torch::manual_seed(1);
  const auto numbers = torch::randint(-2, 3, sizes, torch::kFloat);
  const auto nan = torch::rand(sizes) < 0.05;
  return numbers.masked_fill(nan, std::numeric_limits<float>::quiet_NaN()).to(type);
}

bool same(const torch::Tensor& got, const torch::Tensor& wanted) {
  return got.scalar_type() == wanted.scalar_type() && got.allclose(wanted, 0, 0, true);
}

}  // namespace

TEST_CASE("MaxPool2x2 has the very bits of LibTorch's", "[layers]") {
  rt::MaxPool2x2 pool;
  for (const auto type : {torch::kFloat, torch::kBFloat16, torch::kHalf, torch::kDouble}) {
    for (const auto format : {torch::MemoryFormat::Contiguous, kChannelsLast}) {
      for (const auto& sizes : std::vector<std::vector<std::int64_t>>{
               {1, 1, 2, 2}, {3, 17, 5, 4}, {2, 64, 6, 7}, {5, 16, 3, 3}, {2, 33, 2, 9}}) {
        INFO(type << ' ' << format << ' ' << c10::IntArrayRef(sizes));
        const auto images = images_of(sizes, type).contiguous(format);
        const auto x = images.clone().requires_grad_();
        const auto x_reference = images.clone().requires_grad_();
        const auto y = pool(x);
        const auto wanted = torch::max_pool2d(x_reference, 2, 2);
        CHECK(same(y, wanted));
        CHECK(y.sizes() == wanted.sizes());
        CHECK(y.is_contiguous(format));
        const auto dy = torch::randn(wanted.sizes()).to(type);
        y.backward(dy);
        wanted.backward(dy);
        CHECK(same(x.grad(), x_reference.grad()));
        CHECK(!pool(images).requires_grad());
      }
    }
  }
}

TEST_CASE("MaxPool2x2 can be differentiated twice", "[layers]") {
  torch::manual_seed(2);
  const auto images = torch::randn({2, 3, 5, 7}).contiguous(kChannelsLast);
  const auto second = [&](auto&& pool) {
    const auto x = images.clone().requires_grad_();
    const auto first = torch::autograd::grad({pool(x).pow(3).sum()}, {x}, {}, /*retain_graph=*/true,
                                             /*create_graph=*/true)[0];
    return std::vector<torch::Tensor>{first.detach(),
                                      torch::autograd::grad({first.square().sum()}, {x})[0]};
  };
  rt::MaxPool2x2 pool;
  const auto got = second(pool);
  const auto wanted = second([](const torch::Tensor& x) { return torch::max_pool2d(x, 2, 2); });
  CHECK(got[0].allclose(wanted[0]));
  CHECK(got[1].allclose(wanted[1]));
  CHECK(wanted[1].abs().max().item<double>() > 1);
}

TEST_CASE("MaxPool2x2 keeps nothing but places, for as long as the graph is kept", "[layers]") {
  rt::MaxPool2x2 pool;
  const auto images = images_of({2, 20, 4, 4}, torch::kFloat).contiguous(kChannelsLast);
  const auto x = images.clone().requires_grad_();
  const auto z = x * 1;
  const auto y = pool(z);
  z.detach().zero_();  // which no gradient depends on
  y.sum().backward({}, /*retain_graph=*/true);
  const auto once = x.grad().clone();
  y.sum().backward();
  CHECK(x.grad().equal(2 * once));
  CHECK(once.sum().item<double>() == static_cast<double>(y.numel()));
}

TEST_CASE("MaxPool2x2 is the same for any number of threads", "[layers]") {
  rt::MaxPool2x2 pool;
  const auto images = images_of({40, 24, 9, 9}, torch::kFloat).contiguous(kChannelsLast);
  const auto made_by = [&](int threads) {
    const Threads these(threads);
    const auto x = images.clone().requires_grad_();
    const auto y = pool(x);
    y.backward(torch::arange(y.numel(), torch::kFloat).view_as(y));
    return std::vector<torch::Tensor>{y.detach(), x.grad()};
  };
  const auto one = made_by(1);
  const auto three = made_by(3);
  CHECK(same(one[0], three[0]));
  CHECK(one[1].equal(three[1]));
}

TEST_CASE("MaxPool2x2 can be cloned, in a Sequential", "[layers]") {
  const torch::nn::Sequential layers(rt::MaxPool2x2{});
  const auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(layers->clone());
  REQUIRE(copy);
  const auto x = images_of({2, 3, 4, 6}, torch::kFloat).contiguous(kChannelsLast);
  CHECK(same(copy->forward(x), torch::max_pool2d(x, 2, 2)));
}

TEST_CASE("MaxPool2x2 refuses and allows what LibTorch's does", "[layers]") {
  rt::MaxPool2x2 pool;
  for (const auto& sizes :
       std::vector<std::vector<std::int64_t>>{{2, 3, 1, 4}, {2, 3, 4, 1}, {2, 0, 4, 4}, {4}}) {
    const auto images = torch::zeros(sizes);
    INFO(c10::IntArrayRef(sizes));
    CHECK(!error_of([&] { pool(images); }).empty());
    CHECK(error_of([&] { pool(images); }) == error_of([&] { torch::max_pool2d(images, 2, 2); }));
  }
  CHECK(pool(torch::zeros({0, 3, 4, 4})).sizes() == c10::IntArrayRef({0, 3, 2, 2}));
  CHECK(pool(torch::zeros({3, 4, 4})).sizes() == c10::IntArrayRef({3, 2, 2}));
}

}  // namespace max_pool2x2_test
