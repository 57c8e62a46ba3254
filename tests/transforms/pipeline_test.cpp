#include "regtorch/transforms/pipeline.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/color_jitter.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_erasing.hpp"
#include "regtorch/transforms/random_grayscale.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace pipeline_test {

namespace F = torch::nn::functional;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_images;
using regtorch::testing::Threads;
using rt::transforms::ImageFormat;
using rt::transforms::Normalize;
using rt::transforms::PaddingMode;
using rt::transforms::Pipeline;
using rt::transforms::RandomCrop;
using rt::transforms::RandomHorizontalFlip;

namespace {

// ---- Two transforms as a user would write them. ----

struct Solarize {
  void pixel(float& red, float& green, float& blue) const {
    red = red < 0.5f ? red : 1.0f - red;
    green = green < 0.5f ? green : 1.0f - green;
    blue = blue < 0.5f ? blue : 1.0f - blue;
  }
};

/// Adds to red the place and to green a number drawn for the image.
struct Stamp {
  struct Draw {
    float number;
  };
  Draw draw(rt::kernels::RandomWords& random, rt::kernels::ImageSize) const {
    return {static_cast<float>(random.next() % 100)};
  }
  void pixel(float& red, float& green, float&, const Draw& draw, int y, int x) const {
    red += static_cast<float>(1000 * y + x);
    green += draw.number;
  }
};

// ---- The reference: the same decisions, carried out one after the other by ATen, in float64. ----

constexpr std::uint64_t kSeed = 7;
const std::array<double, 3> kMean{0.4, 0.5, 0.6};
const std::array<double, 3> kStd{0.2, 0.25, 0.3};

template <class Transform>
auto draw(const Transform& transform, std::uint32_t place, std::int64_t index,
          const torch::Tensor& image) {
  const auto stream = rt::Key{kSeed}.stream(rt::Purpose::kPipeline);
  rt::kernels::RandomWords random({stream.seed, stream.pass, stream.purpose + 4096 * place},
                                  static_cast<std::uint64_t>(index));
  return transform.draw(random, {static_cast<int>(image.size(1)), static_cast<int>(image.size(2))});
}

torch::Tensor apply(const Normalize&, std::uint32_t, std::int64_t, const torch::Tensor& x) {
  const auto column = [](const std::array<double, 3>& values) {
    return torch::tensor({values[0], values[1], values[2]}, torch::kDouble).view({3, 1, 1});
  };
  return (x - column(kMean)) / column(kStd);
}
torch::Tensor apply(const RandomHorizontalFlip& flip, std::uint32_t place, std::int64_t index,
                    const torch::Tensor& x) {
  return draw(flip, place, index, x).flip ? x.flip(2) : x;
}
struct ReferenceCrop {  // a crop and what the reference must know of it
  RandomCrop crop;
  int size;
  int padding;
  bool reflect;
};
torch::Tensor crop(const ReferenceCrop& c, std::uint32_t place, std::int64_t index,
                   const torch::Tensor& x) {
  auto options = F::PadFuncOptions({c.padding, c.padding, c.padding, c.padding});
  if (c.reflect) {
    options.mode(torch::kReflect);
  }
  const auto d = draw(c.crop, place, index, x);
  return F::pad(x.unsqueeze(0), options)[0]
      .slice(1, d.top + c.padding, d.top + c.padding + c.size)
      .slice(2, d.left + c.padding, d.left + c.padding + c.size);
}
torch::Tensor apply(const Solarize&, std::uint32_t, std::int64_t, const torch::Tensor& x) {
  return torch::where(x < 0.5, x, 1 - x);
}
torch::Tensor apply(const Stamp& stamp, std::uint32_t place, std::int64_t index, torch::Tensor x) {
  x = x.clone();
  x[0] += 1000 * torch::arange(x.size(1)).view({-1, 1}) + torch::arange(x.size(2));
  x[1] += draw(stamp, place, index, x).number;
  return x;
}

const ReferenceCrop kZero{RandomCrop(30, 3), 30, 3, false};
const ReferenceCrop kReflect{RandomCrop(31, 2, PaddingMode::kReflect), 31, 2, true};
torch::Tensor apply(const RandomCrop& c, std::uint32_t place, std::int64_t index,
                    const torch::Tensor& x) {
  return crop(c.output_size({64, 64}).width == 30 ? kZero : kReflect, place, index, x);
}

template <class... Transforms>
torch::Tensor reference(const torch::Tensor& images, const Transforms&... transforms) {
  std::vector<torch::Tensor> results;
  for (std::int64_t n = 0; n < images.size(0); ++n) {
    torch::Tensor x = images[n].to(torch::kDouble) / 255;
    std::uint32_t place = 0;
    ((x = apply(transforms, place++, n, x)), ...);
    results.push_back(x);
  }
  return torch::stack(results);
}

template <class... Transforms>
void check_order(const Transforms&... transforms) {
  for (const auto& [height, width] : {std::pair{32, 32}, {33, 50}, {31, 64}}) {
    const auto images = random_images(5, height, width);
    const auto got = Pipeline<Transforms...>(transforms...)(images, kSeed);
    const auto wanted = reference(images, transforms...);
    REQUIRE(got.sizes() == wanted.sizes());
    // A few roundings of values below 10; Stamp's below 2^16 are exact but for its own addition.
    CHECK(torch::allclose(got.to(torch::kDouble), wanted, 0x1p-21, 1e-5));
  }
}

const Normalize kNormalize(kMean, kStd);
const RandomHorizontalFlip kFlip;

}  // namespace

TEST_CASE("transforms act in the order given, whatever it is", "[transforms]") {
  check_order(kZero.crop, kFlip, kNormalize);
  check_order(kNormalize, kFlip, kZero.crop);  // fills with 0 after normalisation
  check_order(kFlip, kNormalize, kReflect.crop, Solarize{}, kZero.crop, kNormalize);
}

TEST_CASE("a user's own transforms take part", "[transforms]") {
  check_order(Solarize{});
  check_order(kZero.crop, Stamp{}, kFlip, Solarize{}, kNormalize);
  check_order(Stamp{}, kZero.crop, Stamp{});  // two of a kind draw different numbers
}

TEST_CASE("an empty pipeline gives the bytes as numbers from 0 to 1", "[transforms]") {
  const auto images = random_images(3, 5, 7);
  CHECK(Pipeline<>{}(images, 0).equal(images.to(torch::kFloat) * (1.0f / 255.0f)));
}

TEST_CASE("a pipeline of transforms that change nothing is the identity", "[transforms]") {
  using namespace rt::transforms;
  for (const int side : {1, 16, 31, 32, 33, 64, 100}) {
    const auto images = random_images(3, side, side);
    const auto wanted = images.to(torch::kFloat) * (1.0f / 255.0f);
    CAPTURE(side);
    const auto check = [&](const auto&... transforms) {
      const Pipeline pipeline{transforms...};
      CHECK(pipeline(images, kSeed).equal(wanted));
      CHECK(pipeline(images, rt::Key{1}, torch::arange(3),
                     {torch::kBFloat16, at::MemoryFormat::ChannelsLast})
                .equal(wanted.to(torch::kBFloat16)));
    };
    const RandomCrop crop(side);
    const RandomHorizontalFlip never(0);
    const RandomHorizontalFlip always(1);
    const Normalize normalize({0, 0, 0}, {1, 1, 1});
    const ColorJitter jitter(ColorJitterOptions{});
    const RandomGrayscale grayscale(0);
    const RandomErasing erasing(RandomErasingOptions().p(0));
    check(crop);
    check(never);
    check(normalize);
    check(jitter);
    check(grayscale);
    check(erasing);
    check(crop, never, jitter, grayscale, erasing, normalize);
    check(normalize, erasing, grayscale, jitter, never, crop);
    check(always, always);
    check(always, normalize, always, crop);
  }
}

TEST_CASE("any strides and sizes, also no images at all", "[transforms]") {
  const Pipeline pipeline{RandomHorizontalFlip(), kNormalize};
  const auto images = random_images(4, 9, 33);
  const auto wanted = pipeline(images, 3);
  CHECK(pipeline(images.contiguous(at::MemoryFormat::ChannelsLast), 3).equal(wanted));
  CHECK(pipeline(images.transpose(2, 3).contiguous().transpose(2, 3), 3).equal(wanted));
  const auto wide = torch::cat({images, images}, 3).slice(3, 0, 33);
  REQUIRE_FALSE(wide.is_contiguous());
  CHECK(pipeline(wide, 3).equal(wanted));
  CHECK(pipeline(images.slice(0, 0, 0), 3).sizes() == torch::IntArrayRef({0, 3, 9, 33}));
  for (const std::int64_t side : {1, 31, 32, 33, 224}) {
    const auto square = random_images(2, side, side);
    CHECK(Pipeline{RandomHorizontalFlip(1)}(square, 0).equal(
        (square.to(torch::kFloat) * (1.0f / 255.0f)).flip(3)));
  }
}

TEST_CASE("bfloat16 and channels_last are the same numbers in another form", "[transforms]") {
  const Pipeline pipeline{kZero.crop, kFlip, kNormalize};
  for (const std::int64_t side : {31, 32, 50}) {
    const auto images = random_images(3, side, side);
    const auto indices = torch::arange(3);
    const auto wanted = pipeline(images, rt::Key{1}, indices);
    CHECK(wanted.is_contiguous());
    for (const auto dtype : {torch::kFloat, torch::kBFloat16}) {
      for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        const auto got = pipeline(images, rt::Key{1}, indices, {dtype, layout});
        CHECK(got.scalar_type() == dtype);
        CHECK(got.is_contiguous(layout));
        CHECK(got.equal(wanted.to(dtype)));
      }
    }
  }
}

TEST_CASE("what happens to a sample depends on key and index alone", "[transforms]") {
  const Pipeline pipeline{kZero.crop, kFlip, kNormalize};
  const auto images = random_images(100, 32, 32);
  const auto wanted = pipeline(images, kSeed);
  {
    const Threads one(1);
    CHECK(pipeline(images, kSeed).equal(wanted));
  }
  const auto order = torch::randperm(100);
  CHECK(pipeline(images.index_select(0, order), rt::Key{kSeed}, order)
            .equal(wanted.index_select(0, order)));
  CHECK(pipeline(images.slice(0, 40, 41), rt::Key{kSeed}, torch::tensor({40}))
            .equal(wanted[40].unsqueeze(0)));
  CHECK_FALSE(pipeline(images, kSeed + 1).equal(wanted));
  CHECK_FALSE(pipeline(images, rt::Key{kSeed, 1}, torch::arange(100)).equal(wanted));
}

TEST_CASE("without a seed torch::manual_seed governs", "[transforms]") {
  const Pipeline pipeline{kZero.crop};
  const auto images = random_images(20, 32, 32);
  torch::manual_seed(3);
  const auto first = pipeline(images);
  CHECK_FALSE(pipeline(images).equal(first));
  torch::manual_seed(3);
  CHECK(pipeline(images).equal(first));
}

TEST_CASE("a transform is never shown a place outside its image", "[transforms]") {
  struct Place {
    struct Draw {};
    Draw draw(rt::kernels::RandomWords&, rt::kernels::ImageSize) const { return {}; }
    void pixel(float& red, float&, float&, const Draw&, int y, int x) const {
      red = y < 0 || y >= 8 || x < 0 || x >= 8 ? std::numeric_limits<float>::infinity() : red;
      worst = std::max(worst, y < 0 || x < 0 ? 1 : 0);
    }
    int& worst;
  };
  int worst = 0;
  Pipeline{Place{worst}, RandomCrop(8, 4)}(random_images(8, 8, 8), 0);
  CHECK(worst == 0);
}

TEST_CASE("a transform that points outside the image is an error, not a crash", "[transforms]") {
  struct Shift {
    int rows;
    int columns;
    struct Draw {};
    Draw draw(rt::kernels::RandomWords&, rt::kernels::ImageSize) const { return {}; }
    rt::kernels::ImageSize output_size(rt::kernels::ImageSize in) const { return in; }
    int source_row(const Draw&, int y) const { return y + rows; }
    int source_column(const Draw&, int x) const { return x + columns; }
  };
  const auto images = random_images(2, 4, 5);
  CHECK(contains(error_of([&] {
                   Pipeline{Shift{1, 0}}(images, 0);
                 }),
                 "source_row: wanted 0 to 3 or kOutside, got 4"));
  CHECK(contains(error_of([&] {
                   Pipeline{Shift{0, 1}}(images, 0);
                 }),
                 "source_column: wanted 0 to 4 or kOutside, got 5"));
  CHECK(contains(error_of([&] { Pipeline{Shift{0, -2}}(images, 0); }), "got -2"));
}

TEST_CASE("a pipeline says what it wanted and what came", "[transforms]") {
  const Pipeline pipeline{kNormalize};
  const auto images = random_images(2, 4, 4);
  CHECK(contains(error_of([&] { pipeline(images.to(torch::kFloat), 0); }),
                 "Pipeline: wanted images of type Byte (uint8) and shape [N, 3, H, W], got Float"));
  CHECK(contains(error_of([&] { pipeline(images, rt::Key{}, torch::arange(3)); }),
                 "wanted an index for each of 2 images, got 3"));
  CHECK(contains(error_of([&] { pipeline(images, rt::Key{}, torch::arange(2), {torch::kHalf}); }),
                 "wanted a result of type Float or BFloat16, got Half"));
  CHECK(contains(
      error_of([&] {
        pipeline(images, rt::Key{}, torch::arange(2), {torch::kFloat, at::MemoryFormat::Preserve});
      }),
      "wanted a Contiguous or ChannelsLast result"));
}

}  // namespace pipeline_test
