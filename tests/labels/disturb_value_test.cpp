#include "regtorch/labels/disturb_value.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"

namespace disturb_value_test {

using rt::testing::contains;
using rt::testing::error_of;

namespace {

constexpr double kPi = 3.14159265358979323846;

/// The definition, one target at a time: word (i % 128) / 32 of block 32 * (i / 128) + i % 32
/// decides, block i of the next stream is a number of N(0, 1) by Box and Muller.
std::vector<double> plain_noise(std::size_t size, double alpha, double sigma, std::uint64_t seed,
                                std::uint32_t call) {
  const rt::kernels::RandomStream decisions{seed, call, 7u << 24};
  const rt::kernels::RandomStream numbers{seed, call, (7u << 24) + 1};
  std::vector<double> noise;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint32_t word = decisions.block(i / 128 * 32 + i % 32)[i % 128 / 32];
    const auto block = numbers.block(i);
    const double u = (block[0] + (block[1] + 0.5) / 4294967296.0) / 4294967296.0;
    const double v = (block[2] + (block[3] + 0.5) / 4294967296.0) / 4294967296.0;
    const double normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * kPi * v);
    noise.push_back(word < alpha / 100 * 4294967296.0 ? sigma * normal : 0);
  }
  return noise;
}

rt::DisturbValue seeded(double alpha, double sigma, std::uint64_t seed) {
  return rt::DisturbValue(rt::DisturbValueOptions(alpha, sigma).seed(seed));
}

/// The noise of the next call on `size` targets.
torch::Tensor noise_of(rt::DisturbValue& disturb, std::int64_t size) {
  return disturb(torch::zeros({size}, torch::kDouble));
}

double correlation(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - a.mean()) * (b - b.mean())).mean().item<double>() /
         (a.std(false) * b.std(false)).item<double>();
}

}  // namespace

TEST_CASE("DisturbValue: each target by the definition, two calls, all sizes", "[labels]") {
  for (const double alpha : {0.5, 10.0, 99.0, 100.0}) {
    for (const std::int64_t size : {0, 1, 31, 32, 33, 127, 128, 129, 2047, 2048, 2049, 30'000}) {
      auto disturb = seeded(alpha, 0.5, 17);
      const auto targets = torch::arange(size, torch::kDouble) * 0.01;
      for (const std::uint32_t call : {0u, 1u}) {
        const auto noise = plain_noise(static_cast<std::size_t>(size), alpha, 0.5, 17, call);
        const auto wanted = targets + torch::tensor(noise, torch::kDouble);
        const auto disturbed = disturb(targets);
        REQUIRE(disturbed.allclose(wanted, 1e-14, 1e-14));
        REQUIRE(disturbed.eq(targets).equal(wanted.eq(targets)));
      }
    }
  }
}

TEST_CASE("DisturbValue: alpha percent of the targets change", "[labels]") {
  const std::int64_t n = 1'000'000;
  for (const double alpha : {0.1, 10.0, 50.0, 99.9, 100.0}) {
    auto disturb = seeded(alpha, 0.5, 3);
    const double changed = noise_of(disturb, n).ne(0).sum().item<double>();
    const double p = alpha / 100;
    // Binomial: 4 standard deviations has a p-value below 1e-4; at alpha 100, none.
    INFO("alpha " << alpha);
    REQUIRE(std::abs(changed - static_cast<double>(n) * p) <=
            4 * std::sqrt(static_cast<double>(n) * p * (1 - p)));
  }
}

TEST_CASE("DisturbValue: the noise is normal with standard deviation sigma", "[labels]") {
  for (const double sigma : {0.5, 3.0}) {
    auto disturb = seeded(40, sigma, 21);
    auto noise = noise_of(disturb, 500'000);
    noise = std::get<0>((noise.masked_select(noise.ne(0)) / sigma).sort());
    const auto n = static_cast<double>(noise.numel());
    // Moments 1 to 4 of N(0, 1), each within 4 of its standard deviations.
    REQUIRE(std::abs(noise.mean().item<double>()) < 4 * std::sqrt(1 / n));
    REQUIRE(std::abs(noise.pow(2).mean().item<double>() - 1) < 4 * std::sqrt(2 / n));
    REQUIRE(std::abs(noise.pow(3).mean().item<double>()) < 4 * std::sqrt(15 / n));
    REQUIRE(std::abs(noise.pow(4).mean().item<double>() - 3) < 4 * std::sqrt(96 / n));
    // Kolmogorov and Smirnov: D * sqrt(n) above 2.23 has a p-value of 1e-4.
    double distance = 0;
    const auto* x = noise.const_data_ptr<double>();
    for (std::int64_t i = 0; i < noise.numel(); ++i) {
      const double cdf = 0.5 * std::erfc(-x[i] / std::sqrt(2.0));
      distance = std::max({distance, std::abs(cdf - static_cast<double>(i) / n),
                           std::abs(cdf - static_cast<double>(i + 1) / n)});
    }
    REQUIRE(distance * std::sqrt(n) < 2.23);
  }
}

TEST_CASE("DisturbValue: calls, neighbours and decisions are independent", "[labels]") {
  const std::int64_t n = 400'000;
  const double bound = 4 / std::sqrt(static_cast<double>(n));  // 4 standard deviations
  auto all = seeded(100, 1, 5);
  const auto first = noise_of(all, n);
  const auto second = noise_of(all, n);
  auto other_seed = seeded(100, 1, 6);
  REQUIRE(std::abs(correlation(first, second)) < bound);
  REQUIRE(std::abs(correlation(first.abs(), second.abs())) < bound);
  REQUIRE(std::abs(correlation(first, noise_of(other_seed, n))) < bound);
  for (const std::int64_t lag : {1, 32, 128}) {
    INFO("lag " << lag);
    const auto left = first.slice(0, 0, n - lag);
    const auto right = first.slice(0, lag, n);
    REQUIRE(std::abs(correlation(left, right)) < 1.01 * bound);
    REQUIRE(std::abs(correlation(left.abs(), right.abs())) < 1.01 * bound);
  }
  // Whether says nothing about how much: with the same seed, the numbers are those of alpha 100.
  auto some = seeded(30, 1, 5);
  const auto chosen = noise_of(some, n).ne(0);
  REQUIRE(std::abs(correlation(chosen.to(torch::kDouble), first)) < bound);
  REQUIRE(std::abs(correlation(chosen.to(torch::kDouble), first.abs())) < bound);
  const auto chosen_next = noise_of(some, n).ne(0);
  REQUIRE(std::abs(correlation(chosen.to(torch::kDouble), chosen_next.to(torch::kDouble))) < bound);
}

TEST_CASE("DisturbValue: alpha 0, sigma 0 and eval mode change nothing", "[labels]") {
  const auto targets = torch::linspace(-1, 1, 100);
  REQUIRE(rt::DisturbValue(0, 0.5)(targets).is_same(targets));
  REQUIRE(rt::DisturbValue(100, 0)(targets).is_same(targets));
  rt::DisturbValue disturb(100, 0.5);
  disturb->eval();
  REQUIRE(disturb(targets).is_same(targets));
  disturb->train();
  const auto before = targets.clone();
  REQUIRE(disturb(targets).ne(targets).all().item<bool>());
  REQUIRE(targets.equal(before));
}

TEST_CASE("DisturbValue: every type is the sum in float64, converted", "[labels]") {
  const auto type = GENERATE(torch::kDouble, torch::kFloat, torch::kBFloat16, torch::kHalf);
  const auto targets = torch::linspace(-4, 4, 5000).to(type);
  auto disturb = seeded(50, 0.5, 9);
  auto same = seeded(50, 0.5, 9);
  for (int call = 0; call < 2; ++call) {
    const auto disturbed = disturb(targets);
    REQUIRE(disturbed.scalar_type() == type);
    REQUIRE(disturbed.equal((targets.to(torch::kDouble) + noise_of(same, 5000)).to(type)));
  }
  // Kept targets keep their bits, the sign of a zero and what is not finite included.
  const float inf = std::numeric_limits<float>::infinity();
  const auto odd = torch::tensor({-0.0F, 0.0F, inf, -inf, NAN}).to(type);
  const auto kept = seeded(1e-6, 0.5, 1)(odd);
  REQUIRE(kept.slice(0, 0, 4).signbit().equal(odd.slice(0, 0, 4).signbit()));
  REQUIRE(kept.slice(0, 0, 4).equal(odd.slice(0, 0, 4)));
  REQUIRE(kept[4].isnan().item<bool>());
}

TEST_CASE("DisturbValue: shapes and strides", "[labels]") {
  torch::manual_seed(8);
  const auto targets = torch::randn({7, 9, 5});
  const auto flat = seeded(50, 0.5, 1)(targets.flatten());
  REQUIRE(seeded(50, 0.5, 1)(targets).equal(flat.view({7, 9, 5})));
  const auto strided = targets.permute({2, 0, 1});
  REQUIRE(seeded(50, 0.5, 1)(strided).equal(seeded(50, 0.5, 1)(strided.contiguous())));
  const auto every_other = targets.flatten().slice(0, 0, 315, 2);
  REQUIRE(seeded(50, 0.5, 1)(every_other).equal(seeded(50, 0.5, 1)(every_other.clone())));
  REQUIRE(seeded(100, 0.5, 1)(targets.flatten()[0]).equal(seeded(100, 0.5, 1)(targets)[0][0][0]));
  // A column of targets stays a column.
  REQUIRE(seeded(50, 0.5, 1)(targets.view({315, 1})).equal(flat.view({315, 1})));
}

TEST_CASE("DisturbValue: any number of threads, any instruction set, the same bits", "[labels]") {
  const auto targets = torch::zeros({100'003}, torch::kDouble);
  const auto on = [&](int count) {
    const rt::testing::Threads threads(count);
    return seeded(30, 0.5, 9)(targets);
  };
  const auto one = on(1);
  REQUIRE(on(2).equal(one));
  REQUIRE(on(7).equal(one));
  for (const auto isa :
       {rt::kernels::Isa::kBaseline, rt::kernels::Isa::kV3, rt::kernels::Isa::kV4}) {
    if (isa <= rt::kernels::best_isa()) {
      const std::vector<double> zeros(100'003);
      std::vector<double> noise(100'003);
      rt::kernels::disturb_values(zeros.data(), noise.data(), 0, 100'003,
                                  rt::kernels::threshold(0.3), 0.5,
                                  rt::Key{9, 0}.stream(rt::Purpose::kDisturbValue), isa);
      REQUIRE(torch::tensor(noise, torch::kDouble).equal(one));
    }
  }
}

TEST_CASE("DisturbValue: without a seed torch::manual_seed governs", "[labels]") {
  const auto targets = torch::zeros({200});
  rt::DisturbValue disturb(50, 0.5);
  torch::manual_seed(4);
  const auto first = disturb(targets);
  const auto second = disturb(targets);
  REQUIRE_FALSE(first.equal(second));
  torch::manual_seed(4);
  REQUIRE(disturb(targets).equal(first));
  REQUIRE(disturb(targets).equal(second));
}

TEST_CASE("DisturbValue: gradients pass to targets that have them", "[labels]") {
  const auto targets = torch::zeros({64}, torch::requires_grad());
  const auto disturbed = seeded(50, 0.5, 2)(targets);
  disturbed.sum().backward();
  REQUIRE(disturbed.equal(seeded(50, 0.5, 2)(targets.detach())));
  REQUIRE(targets.grad().equal(torch::ones({64})));
  REQUIRE_FALSE(seeded(50, 0.5, 2)(torch::zeros({64})).requires_grad());
}

TEST_CASE("DisturbValue: prints and clones", "[labels]") {
  auto disturb = seeded(10, 0.5, 2);
  REQUIRE(c10::str(disturb) == "regtorch::DisturbValue(alpha=10, sigma=0.5)");
  const auto targets = torch::zeros({100});
  disturb(targets);
  auto copy = rt::DisturbValue(std::dynamic_pointer_cast<rt::DisturbValueImpl>(disturb->clone()));
  REQUIRE(copy(targets).equal(disturb(targets)));
}

TEST_CASE("DisturbValue: bad arguments are named", "[labels]") {
  REQUIRE(contains(error_of([] { rt::DisturbValue(-1, 0.5); }),
                   "wanted alpha in [0, 100] percent, got -1"));
  REQUIRE(contains(error_of([] { rt::DisturbValue(100.5, 0.5); }), "got 100.5"));
  REQUIRE(contains(error_of([] { rt::DisturbValue(std::nan(""), 0.5); }), "got nan"));
  REQUIRE(contains(error_of([] { rt::DisturbValue(10, -0.5); }),
                   "wanted a finite sigma of at least 0, got -0.5"));
  REQUIRE(contains(error_of([] { rt::DisturbValue(10, INFINITY); }), "got inf"));
  REQUIRE(contains(error_of([] { rt::DisturbValue(10, 0.5)(torch::zeros({3}, torch::kLong)); }),
                   "wanted targets of type Double, Float, BFloat16 or Half, got Long [3] on cpu"));
  REQUIRE(contains(error_of([] { rt::DisturbValue(10, 0.5)(torch::Tensor()); }), "undefined"));
}

}  // namespace disturb_value_test
