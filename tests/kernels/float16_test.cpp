#include "regtorch/kernels/float16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

#include "catch.hpp"

namespace float16_test {

using namespace regtorch::kernels;

TEST_CASE("every float16 becomes float32 as in ATen", "[kernels]") {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float wanted = c10::Half(static_cast<std::uint16_t>(bits), c10::Half::from_bits());
    const float got = from_float16(static_cast<std::uint16_t>(bits));
    REQUIRE((std::isnan(wanted)
                 ? std::isnan(got)
                 : std::bit_cast<std::uint32_t>(got) == std::bit_cast<std::uint32_t>(wanted)));
  }
}

TEST_CASE("float32 becomes float16 as in ATen", "[kernels]") {
  // Each float16, what is halfway to its neighbours, and the floats next to those.
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float exact = c10::Half(static_cast<std::uint16_t>(bits), c10::Half::from_bits());
    for (const std::uint32_t beyond : {0u, 1u, 0xFFFu, 0x1000u, 0x1001u, 0x1FFFu}) {
      const auto value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(exact) + beyond);
      const std::uint16_t got = to_float16(value);
      if (std::isnan(value)) {
        REQUIRE((got & 0x7FFFu) > 0x7C00u);
      } else {
        REQUIRE(got == c10::Half(value).x);
      }
    }
  }
  // Everything else, subnormal float16 and too large ones too, by steps.
  for (std::uint64_t bits = 0; bits < 0x100000000u; bits += 977) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!std::isnan(value)) {
      REQUIRE(to_float16(value) == c10::Half(value).x);
    }
  }
}

}  // namespace float16_test
