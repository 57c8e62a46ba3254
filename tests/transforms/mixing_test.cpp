#include <cmath>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/beta.hpp"
#include "regtorch/transforms/cutmix.hpp"
#include "regtorch/transforms/mixup.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"

namespace mixing_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using rt::transforms::CutMix;
using rt::transforms::MixUp;

namespace {

double number(const torch::Tensor& t) { return t.item<double>(); }

}  // namespace

TEST_CASE("MixUp: mixes neighbours and their labels by lambda", "[transforms]") {
  torch::manual_seed(1);
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kBFloat16, torch::kHalf}) {
    for (const std::int64_t size : {1, 2, 33}) {
      const auto images = torch::randn({size, 3, 5, 4}, torch::kDouble).to(type);
      const auto labels = torch::randint(7, {size}, torch::kLong);
      const MixUp mix(7, 0.8);
      const rt::Key key{3, 1};
      for (const std::int64_t batch : {0, 1}) {
        const auto mixed = mix(images, labels, key, batch);
        const double lambda = mix.lambda(key, batch);
        CHECK(mixed.images.scalar_type() == type);
        CHECK(mixed.targets.scalar_type() == torch::kFloat);
        CHECK(mixed.targets.sizes() == c10::IntArrayRef({size, 7}));
        for (std::int64_t i = 0; i < size; ++i) {
          const std::int64_t j = i == 0 ? size - 1 : i - 1;
          const auto wanted =
              lambda * images[i].to(torch::kDouble) + (1 - lambda) * images[j].to(torch::kDouble);
          const double eps = type == torch::kBFloat16 ? 0.02 : type == torch::kHalf ? 3e-3 : 1e-5;
          CHECK(torch::allclose(mixed.images[i].to(torch::kDouble), wanted, eps, eps));
          auto row = torch::zeros({7}, torch::kDouble);
          row[labels[i].item<std::int64_t>()] += lambda;
          row[labels[j].item<std::int64_t>()] += 1 - lambda;
          CHECK(torch::allclose(mixed.targets[i].to(torch::kDouble), row, 1e-6, 1e-7));
        }
      }
      CHECK(mix.lambda(key, 0) != mix.lambda(key, 1));
      CHECK(mix.lambda(key, 0) != mix.lambda({3, 2}, 0));
    }
  }
}

TEST_CASE("CutMix: pastes the box of the neighbour, and mixes by what was left", "[transforms]") {
  torch::manual_seed(2);
  const CutMix mix(10);
  double boxes = 0;
  for (const std::int64_t batch : {0, 1, 2, 3, 4, 5, 6, 7}) {
    const auto images = torch::randn({5, 3, 9, 14});
    const auto labels = torch::randint(10, {5}, torch::kLong);
    const rt::Key key{4, 0};
    const auto before_it = images.clone();
    const auto mixed = mix(images, labels, key, batch);
    CHECK(images.equal(before_it));
    const auto box = mix.box(key, batch, 9, 14);
    std::int64_t area = 0;
    for (std::int64_t y = 0; y < 9; ++y) {
      for (std::int64_t x = 0; x < 14; ++x) {
        const bool inside = y >= box.top && y < box.bottom && x >= box.left && x < box.right;
        area += inside ? 1 : 0;
        for (std::int64_t i = 0; i < 5; ++i) {
          const auto& from = images[inside ? (i + 4) % 5 : i];
          REQUIRE(mixed.images[i].select(1, y).select(1, x).equal(from.select(1, y).select(1, x)));
        }
      }
    }
    boxes += static_cast<double>(area);
    const double left = 1 - static_cast<double>(area) / (9 * 14);
    for (std::int64_t i = 0; i < 5; ++i) {
      auto row = torch::zeros({10}, torch::kDouble);
      row[labels[i].item<std::int64_t>()] += left;
      row[labels[(i + 4) % 5].item<std::int64_t>()] += 1 - left;
      CHECK(torch::allclose(mixed.targets[i].to(torch::kDouble), row, 1e-6, 1e-7));
    }
  }
  CHECK(boxes > 9 * 14 / 2);  // that the loop saw boxes at all
}

TEST_CASE("CutMix: boxes are where and as large as the formula says", "[transforms]") {
  const CutMix mix(10);
  const std::int64_t n = 20000;
  std::vector<double> centre(32, 0);
  double small = 0;
  for (std::int64_t batch = 0; batch < n; ++batch) {
    const rt::Key key{5, 0};
    const auto box = mix.box(key, batch, 32, 32);
    REQUIRE(box.top >= 0);
    REQUIRE(box.top <= box.bottom);
    REQUIRE(box.bottom <= 32);
    REQUIRE(box.left >= 0);
    REQUIRE(box.left <= box.right);
    REQUIRE(box.right <= 32);
    rt::kernels::RandomWords random(key.stream(rt::Purpose::kMixing),
                                    static_cast<std::uint64_t>(batch));
    const double half = std::sqrt(1 - rt::kernels::beta_number(1, 1, random)) / 2;
    const auto reach = static_cast<std::int64_t>(half * 32);
    small += reach < 8 ? 1 : 0;
    if (box.top > 0 && box.bottom < 32) {
      REQUIRE(box.bottom - box.top == 2 * reach);
    }
    if (reach < 4 && box.left > 0) {  // small boxes that the left edge did not cut show the centre
      centre[static_cast<std::size_t>(box.left + reach)] += 1;
    }
  }
  // reach < 8 means sqrt(1 - lambda) < 1/2: a quarter of them, within five standard deviations.
  CHECK(small / static_cast<double>(n) ==
        Approx(0.25).margin(5 * std::sqrt(0.25 * 0.75 / static_cast<double>(n))));
  // Uniform over the pixels from 4 on, which no reach below 4 can bring to the edge.
  double total = 0;
  for (std::size_t x = 4; x < 32; ++x) {
    total += centre[x];
  }
  double chi_square = 0;
  for (std::size_t x = 4; x < 32; ++x) {
    chi_square += std::pow(centre[x] - total / 28, 2) / (total / 28);
  }
  CHECK(chi_square < 27 + 5 * std::sqrt(54.0));
}

TEST_CASE("MixUp, CutMix: rows add up to 1, layouts stay, seeds and threads", "[transforms]") {
  torch::manual_seed(3);
  const auto images = torch::randn({16, 3, 8, 8}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto labels = torch::arange(16).remainder(4);
  const auto check = [&](const auto& mix) {
    const auto mixed = mix(images, labels, 7);
    CHECK(mixed.images.is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(torch::allclose(mixed.targets.sum(1), torch::ones({16})));
    CHECK(mix(images.contiguous(), labels, 7).images.equal(mixed.images));
    CHECK(mix(images, labels, 7).images.equal(mixed.images));
    {
      const rt::testing::Threads threads(1);
      CHECK(mix(images, labels, 7).images.equal(mixed.images));
    }
    torch::manual_seed(5);
    const auto first = mix(images, labels);
    const auto second = mix(images, labels);
    CHECK_FALSE(first.targets.equal(second.targets));
    torch::manual_seed(5);
    CHECK(mix(images, labels).targets.equal(first.targets));
    // What the losses make of soft targets is the mixture of the losses.
    const auto logits = torch::randn({16, 4});
    const auto before_it = labels.roll(1, 0);
    const double lambda = number(mixed.targets[0][0]);  // labels 0 and 3 are mixed
    const torch::Tensor wanted =
        lambda * torch::nn::functional::cross_entropy(logits, labels) +
        (1 - lambda) * torch::nn::functional::cross_entropy(logits, before_it);
    const torch::Tensor loss = torch::nn::functional::cross_entropy(logits, mixed.targets);
    CHECK(torch::allclose(loss, wanted, 1e-5));
  };
  check(MixUp(4, 0.4));
  check(CutMix(4));
}

TEST_CASE("CutMix: every type and layout, a batch of one, an empty box", "[transforms]") {
  torch::manual_seed(6);
  const CutMix mix(4, 0.5);
  const rt::Key key{1, 0};
  std::int64_t empty = 0;
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kBFloat16, torch::kHalf}) {
    for (const std::int64_t size : {1, 2, 5}) {
      for (std::int64_t batch = 0; batch < 20; ++batch) {
        const auto images =
            torch::randn({size, 3, 8, 8}).to(type).contiguous(at::MemoryFormat::ChannelsLast);
        const auto labels = torch::randint(4, {size}, torch::kLong);
        const auto box = mix.box(key, batch, 8, 8);
        const auto inside = torch::zeros({8, 8}, torch::kBool);
        inside.slice(0, box.top, box.bottom).slice(1, box.left, box.right).fill_(true);
        const double left = 1 - inside.to(torch::kDouble).mean().item<double>();
        empty += left == 1 ? 1 : 0;
        const auto mixed = mix(images, labels, key, batch);
        CHECK(mixed.images.scalar_type() == type);
        CHECK(mixed.images.is_contiguous(at::MemoryFormat::ChannelsLast));
        CHECK(mixed.images.equal(torch::where(inside, images.roll(1, 0), images)));
        const auto one_hot = torch::one_hot(labels, 4).to(torch::kDouble);
        const torch::Tensor wanted = left * one_hot + (1 - left) * one_hot.roll(1, 0);
        CHECK(torch::allclose(mixed.targets.to(torch::kDouble), wanted, 1e-6, 1e-7));
      }
    }
  }
  CHECK(empty > 0);        // that the loop saw empty boxes
  CHECK(empty < 12 * 20);  // and others
}

TEST_CASE("MixUp: one pass gives what at::lerp does, in every layout", "[transforms]") {
  torch::manual_seed(7);
  const MixUp mix(4);
  const rt::Key key{1, 0};
  for (const auto type : {torch::kFloat, torch::kBFloat16}) {
    // The last one is more than one block of the work on threads.
    for (const std::int64_t size : {1, 2, 5, 300}) {
      const auto images = torch::randn({size, 3, 9, 31}).to(type);
      const auto labels = torch::randint(4, {size}, torch::kLong);
      for (const std::int64_t batch : {0, 1, 2, 3, 4, 5, 6, 7}) {
        const auto wanted = torch::lerp(images.roll(1, 0), images, mix.lambda(key, batch));
        const auto check = [&](const torch::Tensor& in) {
          for (const int threads : {1, 2}) {
            const rt::testing::Threads scope(threads);
            const auto got = mix(in, labels, key, batch).images;
            // A fused multiply-add skips one rounding; numbers are below 8.
            const double bound = type == torch::kFloat ? 8 * 0x1p-23 : 8 * 0x1p-8;
            CHECK((got - wanted).abs().max().item<double>() <= bound);
            CHECK(got.suggest_memory_format() == in.suggest_memory_format());
          }
        };
        check(images);
        check(images.contiguous(at::MemoryFormat::ChannelsLast));
        check(images.transpose(2, 3).contiguous().transpose(2, 3));
      }
    }
  }
}

TEST_CASE("MixUp, CutMix: samples of other ranks, and none at all", "[transforms]") {
  torch::manual_seed(8);
  const rt::Key key{1, 0};
  const auto labels = torch::arange(4);
  for (const std::int64_t batch : {0, 1, 2, 3}) {
    const auto rows = torch::randn({4, 50});
    const MixUp mix(4);
    CHECK(torch::allclose(mix(rows, labels, key, batch).images,
                          torch::lerp(rows.roll(1, 0), rows, mix.lambda(key, batch))));
    const CutMix cut(4);
    const auto box = cut.box(key, batch, 6, 5);
    const auto inside = torch::zeros({6, 5}, torch::kBool);
    inside.slice(0, box.top, box.bottom).slice(1, box.left, box.right).fill_(true);
    const auto check = [&](const torch::Tensor& images) {
      const auto got = cut(images, labels, key, batch).images;
      CHECK(got.equal(torch::where(inside, images.roll(1, 0), images)));
      CHECK(got.strides() == images.strides());
    };
    const auto volumes = torch::randn({4, 3, 2, 6, 5});
    check(torch::randn({4, 6, 5}));
    check(torch::randn({4, 3, 6, 5}));
    check(torch::randn({4, 3, 6, 5}, torch::kDouble));
    check(torch::randn({4, 3, 5, 6}).transpose(2, 3));
    check(volumes);
    check(volumes.contiguous(at::MemoryFormat::ChannelsLast3d));
  }
  const auto none = torch::zeros({0, 3, 6, 5});
  CHECK(MixUp(4)(none, labels.slice(0, 0, 0), 1).images.sizes() == none.sizes());
  CHECK(CutMix(4)(none, labels.slice(0, 0, 0), 1).targets.sizes() == c10::IntArrayRef({0, 4}));
}

TEST_CASE("MixUp, CutMix: gradients reach the images", "[transforms]") {
  torch::manual_seed(9);
  const auto labels = torch::arange(4);
  for (const std::int64_t batch : {0, 1, 2, 3}) {
    for (const bool cut : {false, true}) {
      const auto images = torch::randn({4, 3, 6, 5}).requires_grad_();
      const rt::Key key{1, 0};
      const auto mixed = cut ? CutMix(4)(images, labels, key, batch).images
                             : MixUp(4)(images, labels, key, batch).images;
      // Each pixel is used with weights that add up to 1 over the batch.
      mixed.sum().backward();
      CHECK(torch::allclose(images.grad(), torch::ones_like(images)));
    }
  }
}

TEST_CASE("MixUp, CutMix: bad input is named", "[transforms]") {
  const auto images = torch::zeros({4, 3, 8, 8});
  const auto labels = torch::zeros({4}, torch::kLong);
  CHECK(contains(error_of([] { MixUp(0); }), "MixUp: wanted at least 1 class, got 0"));
  CHECK(contains(error_of([] { MixUp(10, 0); }), "a finite alpha of at least 1e-6, got 0"));
  CHECK(contains(error_of([] { CutMix(10, std::nan("")); }), "CutMix: wanted a finite alpha"));
  CHECK(contains(error_of([&] { MixUp(10)(images.to(torch::kByte), labels); }), "got Byte"));
  CHECK(contains(error_of([&] { MixUp(10)(images, labels.to(torch::kInt)); }), "got Int [4]"));
  CHECK(contains(error_of([&] { CutMix(10)(images, labels.slice(0, 0, 3)); }), "shape [4]"));
  CHECK(contains(error_of([&] { CutMix(10)(torch::zeros({4, 3}), labels); }), "at least 3"));
  CHECK(contains(error_of([&] {
                   CutMix(10)(torch::zeros({4, 3, 0, 8}), labels);
                 }),
                 "CutMix: wanted images [..., H, W] with pixels, got 0x8"));
  CHECK(contains(error_of([&] { CutMix(10)(torch::zeros({4, 3, 8, 0}), labels); }), "with pixels"));
  using rt::kernels::ImageBox;
  using rt::transforms::mix_images;
  CHECK(contains(error_of([&] {
                   mix_images(images, {1.5, std::nullopt});
                 }),
                 "mix_images: wanted a mixture with a share in [0, 1], got 1.5"));
  for (const ImageBox& box : {ImageBox{-1, 2, 0, 2}, ImageBox{3, 2, 0, 2}, ImageBox{0, 9, 0, 2},
                              ImageBox{0, 2, -1, 2}, ImageBox{0, 2, 3, 2}, ImageBox{0, 2, 0, 9}}) {
    CHECK(contains(error_of([&] { mix_images(images, {0.5, box}); }), "a box in images of 8x8"));
    const rt::transforms::Pipeline none{rt::transforms::Normalize({0, 0, 0}, {1, 1, 1})};
    rt::transforms::ImageFormat format;
    format.mixture = [&](rt::kernels::ImageSize) { return rt::kernels::Mixture{0.5, box}; };
    CHECK(contains(error_of([&] { none(images.to(torch::kByte), rt::Key{1}, labels, format); }),
                   "Pipeline: wanted a box in images of 8x8"));
  }
  CHECK(contains(error_of([&] {
                   mix_images(images.to(torch::kByte), {0.5, std::nullopt});
                 }),
                 "mix_images: wanted floating-point images [B, ...], got Byte"));
  CHECK(contains(error_of([&] {
                   mix_images(torch::zeros({4, 3}), {0.5, ImageBox{0, 1, 0, 1}});
                 }),
                 "wanted images [B, ..., H, W] for a box"));
  CHECK(contains(error_of([&] {
                   MixUp(10)(images, torch::tensor({0, 9, 10, 0}));
                 }),
                 "MixUp: wanted labels in [0, 10), got 10 at 2"));
  CHECK(contains(error_of([&] {
                   CutMix(10)(images, torch::tensor({0, 0, 0, -1}));
                 }),
                 "CutMix: wanted labels in [0, 10), got -1 at 3"));
}

}  // namespace mixing_test
