#include "regtorch/data/synthetic_images.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "fixtures.hpp"

namespace synthetic_images_test {

using regtorch::testing::chi_square;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::Threads;
using rt::data::SyntheticImages;
using rt::data::SyntheticImagesOptions;

namespace {

SyntheticImagesOptions clean(std::int64_t size) {
  return SyntheticImagesOptions(size).noise(0).label_noise(0);
}

/// Float32 images around 0, each of norm 1.
torch::Tensor centred(const torch::Tensor& images) {
  const auto x = images.to(torch::kFloat) - 128;
  return x / x.square().sum({1, 2, 3}, /*keepdim=*/true).sqrt();
}

/// [N,C]: how like image n is to template c, at the circular shift that suits them best; 1 for the
/// same pattern, at any contrast.
torch::Tensor unmirrored_likeness(const torch::Tensor& images, const torch::Tensor& templates) {
  const auto x = torch::fft::rfft2(centred(images)).unsqueeze(1);
  const auto t = torch::fft::rfft2(centred(templates)).unsqueeze(0);
  return torch::fft::irfft2((x * t.conj()).sum(2)).amax({2, 3});
}

/// The same, as it is or mirrored, whichever suits better.
torch::Tensor likeness(const torch::Tensor& images, const torch::Tensor& templates) {
  return torch::maximum(unmirrored_likeness(images, templates),
                        unmirrored_likeness(images.flip(3), templates));
}

/// Of each class the first image without noise.
torch::Tensor templates_of(const SyntheticImages& clean_images) {
  std::vector<torch::Tensor> templates;
  for (std::int64_t c = 0; c < clean_images.num_classes(); ++c) {
    const auto of_class = (clean_images.targets() == c).nonzero();
    REQUIRE(of_class.size(0) > 0);
    templates.push_back(clean_images.images()[of_class[0].item<std::int64_t>()]);
  }
  return torch::stack(templates);
}

}  // namespace

TEST_CASE("SyntheticImages have CIFAR's shape", "[data]") {
  const SyntheticImages data(SyntheticImagesOptions(70).num_classes(3));
  CHECK(data.images().sizes() == torch::IntArrayRef({70, 3, 32, 32}));
  CHECK(data.images().scalar_type() == torch::kByte);
  CHECK(data.targets().sizes() == torch::IntArrayRef({70}));
  CHECK(data.targets().scalar_type() == torch::kLong);
  CHECK(data.targets().max().item<int>() == 2);
  CHECK(data.num_classes() == 3);
  CHECK(SyntheticImages(1).images().size(0) == 1);
}

TEST_CASE("SyntheticImages depend on the seed alone", "[data]") {
  const SyntheticImages data(SyntheticImagesOptions(300).seed(4));
  torch::manual_seed(9);
  for (const int threads : {1, 2}) {
    const Threads guard(threads);
    const SyntheticImages again(SyntheticImagesOptions(300).seed(4));
    CHECK(again.images().equal(data.images()));
    CHECK(again.targets().equal(data.targets()));
  }
  for (const auto seed : {std::uint64_t{5}, 4 + (std::uint64_t{1} << 32)}) {
    const SyntheticImages other(SyntheticImagesOptions(300).seed(seed));
    CHECK_FALSE(other.images().equal(data.images()));
    CHECK_FALSE(other.targets().equal(data.targets()));
  }
  const SyntheticImages fewer(SyntheticImagesOptions(101).seed(4));
  CHECK(fewer.images().equal(data.images().slice(0, 0, 101)));
  CHECK(fewer.targets().equal(data.targets().slice(0, 0, 101)));
}

TEST_CASE("SyntheticImages are the same bytes on every machine and in every version", "[data]") {
  const SyntheticImages data(SyntheticImagesOptions(64).noise(110).label_noise(0.1));
  const auto hash = [](const torch::Tensor& bytes) {  // FNV-1a
    std::uint64_t value = 14695981039346656037u;
    for (std::int64_t i = 0; i < bytes.numel(); ++i) {
      value = (value ^ bytes.const_data_ptr<std::uint8_t>()[i]) * 1099511628211u;
    }
    return value;
  };
  CHECK(hash(data.images()) == 0x8be350a62141fb25u);
  CHECK(hash(data.targets().to(torch::kByte)) == 0x28276213d800818fu);
}

TEST_CASE("SyntheticImages' classes are equally frequent", "[data]") {
  // 9 degrees of freedom: exceeded once in 1,000 times.
  for (const double label_noise : {0.0, 0.1, 1.0}) {
    const SyntheticImages data(SyntheticImagesOptions(5000).label_noise(label_noise));
    CHECK(chi_square(data.targets(), 10) < 27.88);
  }
}

TEST_CASE("SyntheticImages' label noise is the share of labels drawn anew", "[data]") {
  constexpr double kSize = 5000;
  const SyntheticImages right(SyntheticImagesOptions(5000).label_noise(0));
  for (const double label_noise : {0.1, 0.5, 1.0}) {
    const SyntheticImages wrong(SyntheticImagesOptions(5000).label_noise(label_noise));
    CHECK(wrong.images().equal(right.images()));  // of the label alone
    // One of ten that are drawn anew comes out as it was. Within five standard deviations.
    const double share = 0.9 * label_noise;
    const double differing =
        (wrong.targets() != right.targets()).to(torch::kDouble).mean().item<double>();
    CHECK(std::abs(differing - share) < 5 * std::sqrt(share * (1 - share) / kSize));
  }
}

TEST_CASE("SyntheticImages' noise is triangular, as wide as asked, and fresh for each byte",
          "[data]") {
  constexpr int kNoise = 20;  // too little to reach 0 or 255, since signals stay within 128 +- 95
  const SyntheticImages quiet(clean(256));
  const SyntheticImages noisy(clean(256).noise(kNoise));
  CHECK(noisy.targets().equal(quiet.targets()));
  const auto noise =
      (noisy.images().to(torch::kInt) - quiet.images().to(torch::kInt)).to(torch::kDouble);
  CHECK(noise.min().item<double>() == -kNoise);
  CHECK(noise.max().item<double>() == kNoise);

  // The sum of two uniform bytes, centred and scaled: its variance, exactly.
  double variance = 0;
  for (int sum = -255; sum <= 255; ++sum) {
    variance += (256 - std::abs(sum)) / 65536.0 * std::pow(sum * kNoise / 255, 2);
  }
  const auto size = static_cast<double>(noise.numel());
  CHECK(std::abs(noise.mean().item<double>()) < 5 * std::sqrt(variance / size));
  // A triangular variable's fourth moment is 2.4 variances squared, so 1.4 is its square's
  // variance.
  CHECK(std::abs(noise.square().mean().item<double>() - variance) <
        5 * variance * std::sqrt(1.5 / size));
  // No two bytes of an image, and no two images, share their noise: uncorrelated within five
  // standard deviations, at every distance up to 64 bytes and over an image's 3,072.
  const auto flat = noise.flatten();
  for (std::int64_t distance = 1; distance <= 65; ++distance) {
    const auto lag = distance == 65 ? 3072 : distance;
    const auto product = flat.slice(0, lag) * flat.slice(0, 0, flat.numel() - lag);
    CHECK(std::abs(product.mean().item<double>()) < 5 * variance / std::sqrt(size - 3072));
  }
}

TEST_CASE("SyntheticImages of a class show one pattern, those of two do not", "[data]") {
  const SyntheticImages data(clean(300));
  const auto score = likeness(data.images(), templates_of(data));
  const auto own = data.targets().unsqueeze(1);
  CHECK(score.gather(1, own).min().item<float>() > 0.99f);
  CHECK(score.scatter(1, own, 0).max().item<float>() < 0.6f);
  // Half of them are the first one's mirror image, within five standard deviations.
  const auto same_way =
      unmirrored_likeness(data.images(), templates_of(data)).gather(1, own) > 0.99;
  const double share = same_way.to(torch::kDouble).mean().item<double>();
  CHECK(std::abs(share - 0.5) < 5 * 0.5 / std::sqrt(300.0) + 0.5 * 10 / 300);
  // Shifted and with contrasts of their own: hardly two images are alike byte for byte.
  CHECK_FALSE(data.images()[0].equal(data.images()[1]));
}

TEST_CASE("SyntheticImages can be told apart under the default noise", "[data]") {
  const SyntheticImages data(SyntheticImagesOptions(300).label_noise(0));
  const auto found = likeness(data.images(), templates_of(SyntheticImages(clean(300)))).argmax(1);
  CHECK((found == data.targets()).to(torch::kDouble).mean().item<double>() > 0.99);
  // Another seed's patterns are of no use: one class in ten is most like the one of its number.
  // Five of the ten classes would be four standard deviations above that.
  const auto other = templates_of(SyntheticImages(clean(300).seed(1)));
  const auto guess = likeness(data.images(), other).argmax(1);
  CHECK((guess == data.targets()).to(torch::kDouble).mean().item<double>() < 0.5);
}

TEST_CASE("SyntheticImages says which option is out of range", "[data]") {
  const auto message = [](const SyntheticImagesOptions& options) {
    return error_of([&] { SyntheticImages{options}; });
  };
  const SyntheticImagesOptions good(2);
  CHECK(message(good).empty());
  CHECK(contains(message(0), "SyntheticImages: wanted at least 1 image, got 0"));
  CHECK(contains(message(-1), "wanted at least 1 image, got -1"));
  CHECK(contains(message(SyntheticImagesOptions(2).num_classes(0)), "1 to 10000 classes, got 0"));
  CHECK(contains(message(SyntheticImagesOptions(2).num_classes(std::int64_t{1} << 32)),
                 "1 to 10000 classes, got 4294967296"));
  CHECK(contains(message(SyntheticImagesOptions(2).noise(-1)), "noise in [0, 255], got -1"));
  CHECK(contains(message(SyntheticImagesOptions(2).noise(256)), "noise in [0, 255], got 256"));
  for (const double share : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(contains(message(SyntheticImagesOptions(2).label_noise(share)),
                   "SyntheticImages: wanted label_noise in [0, 1], got "));
  }
  CHECK(contains(message(SyntheticImagesOptions(2).label_noise(1.5)), "got 1.5"));
  CHECK_THROWS_AS(SyntheticImages(0), c10::ValueError);
}

}  // namespace synthetic_images_test
