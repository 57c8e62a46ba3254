#include "regtorch/kernels/mixing.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/normal.hpp"
#include "regtorch/kernels/philox.hpp"

namespace kernel_mixing_test {

using namespace regtorch::kernels;

namespace {

float number(std::uint64_t i) {
  return static_cast<float>(standard_normal(RandomStream{3, 0, 0}.block(i)));
}

}  // namespace

TEST_CASE("blend_arrays: the formula, for both types on every instruction set", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (const std::size_t count : {0u, 1u, 31u, 32u, 33u, 100u}) {
      for (const double weight : {0.0, 0.1, 0.4999, 0.5, 0.7, 1.0}) {
        const Blend blend(weight);
        std::vector<float> own(count);
        std::vector<float> before(count);
        std::vector<std::uint16_t> own_halves(count);
        std::vector<std::uint16_t> before_halves(count);
        for (std::size_t i = 0; i < count; ++i) {
          own[i] = number(2 * i);
          before[i] = number(2 * i + 1);
          own_halves[i] = to_bfloat16(own[i]);
          before_halves[i] = to_bfloat16(before[i]);
        }
        std::vector<float> out(count);
        std::vector<std::uint16_t> halves(count);
        const auto size = static_cast<std::int64_t>(count);
        blend_arrays(own.data(), before.data(), out.data(), size, blend, isa);
        blend_arrays(own_halves.data(), before_halves.data(), halves.data(), size, blend, isa);
        for (std::size_t i = 0; i < count; ++i) {
          const auto formula = [&](double a, double b) { return weight * a + (1 - weight) * b; };
          // Roundings of the weight, the difference, the product and the sum, none above 10.
          REQUIRE(std::abs(out[i] - formula(own[i], before[i])) < 4 * 10 * 0x1p-24);
          const float a = from_bfloat16(own_halves[i]);
          const float b = from_bfloat16(before_halves[i]);
          // And one rounding to the 8 bits of a bfloat16.
          REQUIRE(std::abs(from_bfloat16(halves[i]) - formula(a, b)) <=
                  std::abs(formula(a, b)) * 0x1p-8 + 4 * 10 * 0x1p-24);
          if (weight == 0 || weight == 1) {
            REQUIRE(out[i] == (weight == 1 ? own[i] : before[i]));
            REQUIRE(halves[i] == (weight == 1 ? own_halves[i] : before_halves[i]));
          }
        }
      }
    }
  }
}

TEST_CASE("paste_box: any box", "[kernels]") {
  constexpr std::int64_t kHeight = 5;
  constexpr std::int64_t kWidth = 4;
  constexpr std::int64_t kPixel = 3;
  constexpr std::size_t kSize = kHeight * kWidth * kPixel;
  std::vector<std::uint8_t> own(kSize);
  std::vector<std::uint8_t> before(kSize);
  for (std::size_t i = 0; i < kSize; ++i) {
    own[i] = static_cast<std::uint8_t>(i);
    before[i] = static_cast<std::uint8_t>(100 + i);
  }
  for (const ImageBox& box : {ImageBox{1, 3, 1, 3}, ImageBox{0, kHeight, 0, kWidth},
                              ImageBox{2, 2, 0, kWidth}, ImageBox{4, 5, 3, 3}}) {
    std::vector<std::uint8_t> out(kSize);
    paste_box(own.data(), before.data(), out.data(), PlaneBox::make(box, kHeight, kWidth, kPixel));
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(kSize); ++i) {
      const std::int64_t x = i / kPixel % kWidth;
      const std::int64_t y = i / kPixel / kWidth;
      const bool inside = y >= box.top && y < box.bottom && x >= box.left && x < box.right;
      const auto place = static_cast<std::size_t>(i);
      REQUIRE(out[place] == (inside ? before : own)[place]);
    }
  }
}

TEST_CASE("blend_targets: the two classes' shares, and which label is bad", "[kernels]") {
  const std::vector<std::int64_t> labels{2, 0, 0, 3};
  std::vector<float> targets(16, -1.0f);
  CHECK(blend_targets(labels.data(), targets.data(), 4, 4, Blend(0.75), 0, 1) == -1);
  CHECK(blend_targets(labels.data(), targets.data(), 4, 4, Blend(0.75), 1, 4) == -1);
  CHECK(targets == std::vector<float>{0, 0, 0.75f, 0.25f,  //
                                      0.75f, 0, 0.25f, 0,  //
                                      1, 0, 0, 0,          //
                                      0.25f, 0, 0, 0.75f});
  CHECK(blend_targets(labels.data(), targets.data(), 4, 3, Blend(0.75), 0, 1) == 3);
  CHECK(blend_targets(labels.data(), targets.data(), 4, 3, Blend(0.75), 1, 3) == -1);
  CHECK(blend_targets(labels.data(), targets.data(), 4, 3, Blend(0.75), 1, 4) == 3);
  const std::vector<std::int64_t> negative{1, -1, 1};
  CHECK(blend_targets(negative.data(), targets.data(), 3, 3, Blend(0.75), 2, 3) == 1);
}

}  // namespace kernel_mixing_test
