#include "regtorch/kernels/mixed_images.hpp"

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace mixed_images_test {

using namespace regtorch::kernels;
using regtorch::transforms::Normalize;
using regtorch::transforms::RandomCrop;
using regtorch::transforms::RandomHorizontalFlip;

TEMPLATE_TEST_CASE("transform_and_mix is transform_images, then each mixed with the one before",
                   "[kernels]", float, std::uint16_t) {
  constexpr bool kFloats = std::is_same_v<TestType, float>;
  constexpr auto kType = kFloats ? PixelType::kFloat32 : PixelType::kBFloat16;
  constexpr std::int64_t kBatch = 23;
  // The scratch holds several images of the first size at a time, one of the second.
  for (const ImageSize in : {ImageSize{31, 32}, ImageSize{90, 200}}) {
    const bool large = in.height == 90;
    const auto transforms =
        std::make_tuple(RandomCrop(large ? 150 : 29, large ? 35 : 3), RandomHorizontalFlip(),
                        Normalize({0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}));
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kBatch * 3 * in.height * in.width));
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<std::uint8_t>(i * 2654435761u >> 24);
    }
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < kBatch; ++i) {
      ids.push_back(100 - i);
    }
    const ImageSource source{pixels.data(), ids.data(), in};
    const ImageSize out = output_size(transforms, in);
    const std::int64_t image = std::int64_t{3} * out.height * out.width;
    for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
      if (isa > best_isa()) {
        continue;
      }
      for (const bool channels_last : {false, true}) {
        std::vector<TestType> plain(static_cast<std::size_t>(kBatch * image));
        transform_images(transforms, source, {plain.data(), kType, channels_last}, 0, kBatch,
                         {7, 0, 0}, isa);
        const auto check = [&](const Mixture& mixture, std::int64_t begin, std::int64_t end) {
          std::vector<TestType> mixed(plain.size());
          transform_and_mix(transforms, source, kBatch, {mixed.data(), kType, channels_last},
                            mixture, begin, end, {7, 0, 0}, isa);
          for (std::int64_t i = 0; i < kBatch * image; ++i) {
            const std::int64_t n = i / image;
            TestType wanted = 0;
            if (n >= begin && n < end) {
              const TestType own = plain[static_cast<std::size_t>(i)];
              const TestType before =
                  plain[static_cast<std::size_t>(n == 0 ? i + (kBatch - 1) * image : i - image)];
              if (mixture.box.has_value()) {
                const std::int64_t place = channels_last ? i % image / 3 : i % image % (image / 3);
                const std::int64_t y = place / out.width;
                const std::int64_t x = place % out.width;
                const ImageBox& box = *mixture.box;
                const bool inside =
                    y >= box.top && y < box.bottom && x >= box.left && x < box.right;
                wanted = inside ? before : own;
              } else {
                blend_arrays(&own, &before, &wanted, 1, Blend(mixture.own), isa);
              }
            }
            if (mixed[static_cast<std::size_t>(i)] != wanted) {
              FAIL("at " << i << " of " << to_string(isa));
            }
          }
        };
        check({0.7, std::nullopt}, 0, kBatch);
        check({0.2, std::nullopt}, 5, 22);
        check({0.9, ImageBox{3, 20, 0, 11}}, 0, kBatch);
        check({0.9, ImageBox{3, 20, 7, 29}}, 1, 2);
      }
    }
  }
}

}  // namespace mixed_images_test
