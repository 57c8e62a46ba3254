#include "regtorch/kernels/bfloat16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/philox.hpp"

namespace bfloat16_test {

using namespace regtorch::kernels;

TEST_CASE("float32 becomes bfloat16 as in ATen", "[kernels]") {
  std::vector<float> values{0.0f,
                            -0.0f,
                            1.0f,
                            1.00390625f,  // halfway: to even, down
                            1.01171875f,  // halfway: to even, up
                            3.3895314e38f,
                            3.4e38f,
                            1e-40f,
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const auto value = std::bit_cast<float>(RandomStream{5, 0, 0}.block(i)[0]);
    if (!std::isnan(value)) {
      values.push_back(value);
    }
  }
  for (const float value : values) {
    REQUIRE(to_bfloat16(value) == c10::BFloat16(value).x);
  }
  // Also a NaN whose payload is only in the bits that are cut off.
  const float nan = std::bit_cast<float>(0x7F800001u);
  CHECK(
      std::isnan(static_cast<float>(c10::BFloat16(to_bfloat16(nan), c10::BFloat16::from_bits()))));
}

TEST_CASE("every bfloat16 becomes float32 as in ATen", "[kernels]") {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const auto stored = static_cast<std::uint16_t>(bits);
    const float wanted = c10::BFloat16(stored, c10::BFloat16::from_bits());
    REQUIRE(std::bit_cast<std::uint32_t>(from_bfloat16(stored)) ==
            std::bit_cast<std::uint32_t>(wanted));
  }
}

}  // namespace bfloat16_test
