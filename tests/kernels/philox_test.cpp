#include "regtorch/kernels/philox.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"

namespace philox_test {

using namespace regtorch::kernels;

TEST_CASE("Philox gives the known answers of its authors", "[kernels]") {
  // The vectors "philox4x32 10" of Random123's kat_vectors.
  CHECK(philox4x32_10({0, 0, 0, 0}, 0, 0) ==
        PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32_10({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff) ==
        PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream puts index, pass, purpose and seed where the layout says", "[kernels]") {
  const RandomStream stream{0x1122334455667788, 9, 7};
  CHECK(stream.block(0xAABBCCDD00112233) ==
        philox4x32_10({0x00112233, 0xAABBCCDD, 9, 7}, 0x55667788, 0x11223344));
}

TEST_CASE("bounded words are uniform and in range", "[kernels]") {
  const RandomStream stream{3, 0, 0};
  for (const std::uint32_t bound : {1u, 2u, 3u, 9u, 1000u}) {
    std::vector<double> counts(bound);
    const int draws = 100000;
    for (int i = 0; i < draws; ++i) {
      const std::uint32_t value = bounded(stream.block(static_cast<std::uint64_t>(i))[0], bound);
      REQUIRE(value < bound);
      ++counts[value];
    }
    double chi_square = 0;
    for (const double count : counts) {
      const double expected = static_cast<double>(draws) / bound;
      chi_square += (count - expected) * (count - expected) / expected;
    }
    // Mean bound - 1, variance 2 (bound - 1): five standard deviations.
    CHECK(chi_square <= bound - 1 + 5 * std::sqrt(2.0 * bound));
  }
  CHECK(bounded(0xffffffff, 10) == 9);
  CHECK(bounded(0, 10) == 0);
}

TEST_CASE("a threshold is exact for never and always", "[kernels]") {
  CHECK(threshold(0) == 0);
  CHECK(threshold(1) == std::uint64_t{1} << 32);
  CHECK(threshold(0.5) == std::uint64_t{1} << 31);
  CHECK(threshold(0.25) == std::uint64_t{1} << 30);
}

}  // namespace philox_test
