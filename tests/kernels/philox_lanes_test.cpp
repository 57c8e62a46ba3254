#include "regtorch/kernels/philox_lanes.hpp"

#include <cstdint>
#include <vector>

#include "catch.hpp"

namespace philox_lanes_test {

using namespace regtorch::kernels;

TEST_CASE("a group has the words of its blocks, on every instruction set", "[kernels]") {
  const RandomStream streams[] = {
      {0, 0, 0}, {0x1122334455667788, 9, 7}, {~std::uint64_t{0}, 0xFFFFFFFF, 0xFFFFFFFF}};
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (const RandomStream& stream : streams) {
      // 2^27 groups are 2^32 blocks: the index's upper word counts.
      for (const std::uint64_t group :
           {0ull, 1ull, (1ull << 27) - 1, 1ull << 27, (1ull << 40) + 3}) {
        std::vector<std::uint32_t> words(kPhiloxGroup);
        philox_group(isa)(stream, group, words.data());
        std::vector<std::uint32_t> wanted(kPhiloxGroup);
        for (std::uint64_t i = 0; i < kPhiloxGroup; ++i) {
          wanted[i] = stream.block(kPhiloxLanes * group + i % kPhiloxLanes)[i / kPhiloxLanes];
        }
        INFO(to_string(isa) << ", group " << group);
        REQUIRE(words == wanted);
      }
    }
  }
}

}  // namespace philox_lanes_test
