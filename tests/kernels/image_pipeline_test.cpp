#include "regtorch/kernels/image_pipeline.hpp"

#include <cmath>
#include <cstdint>
#include <tuple>
#include <vector>

#include "catch.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace image_pipeline_test {

using namespace regtorch::kernels;
using regtorch::transforms::Normalize;
using regtorch::transforms::PaddingMode;
using regtorch::transforms::RandomCrop;
using regtorch::transforms::RandomHorizontalFlip;

namespace {

constexpr std::int64_t kImages = 5;

std::vector<float> transformed(const auto& transforms, ImageSize in, Isa isa, bool channels_last) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kImages * 3 * in.height * in.width));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(RandomStream{1, 2, 3}.block(i)[0]);
  }
  const std::vector<std::int64_t> ids{4, 8, 15, 16, 23};
  const ImageSize out = output_size(transforms, in);
  std::vector<float> result(static_cast<std::size_t>(kImages * 3 * out.height * out.width), -99.f);
  transform_images(transforms, {pixels.data(), ids.data(), in},
                   {result.data(), PixelType::kFloat32, channels_last}, 0, kImages, {7, 0, 0}, isa);
  return result;
}

}  // namespace

TEST_CASE("the image pipeline agrees on every instruction set", "[kernels]") {
  const Normalize normalize({0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616});
  const auto transforms =
      std::make_tuple(normalize, RandomCrop(29, 3, PaddingMode::kReflect), RandomHorizontalFlip());
  for (const ImageSize in : {ImageSize{32, 32}, ImageSize{29, 33}, ImageSize{64, 31}}) {
    for (const bool channels_last : {false, true}) {
      const auto wanted = transformed(transforms, in, Isa::kBaseline, channels_last);
      for (const Isa isa : {Isa::kV3, Isa::kV4}) {
        if (isa > best_isa()) {
          continue;
        }
        const auto got = transformed(transforms, in, isa, channels_last);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          // A fused multiply-add skips one rounding of x / std, which is below 5.
          REQUIRE(std::abs(got[i] - wanted[i]) <= 5 * 0x1p-24f);
        }
      }
    }
  }
}

TEST_CASE("without arithmetic the image pipeline is the same bit for bit everywhere", "[kernels]") {
  const auto transforms = std::make_tuple(RandomHorizontalFlip(), RandomCrop(32, 4));
  for (const Isa isa : {Isa::kV3, Isa::kV4}) {
    if (isa <= best_isa()) {
      CHECK(transformed(transforms, {32, 32}, isa, false) ==
            transformed(transforms, {32, 32}, Isa::kBaseline, false));
    }
  }
}

}  // namespace image_pipeline_test
