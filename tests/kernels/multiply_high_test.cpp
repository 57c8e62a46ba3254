#include "regtorch/kernels/multiply_high.hpp"

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/philox.hpp"

namespace multiply_high_test {

using namespace regtorch::kernels;

TEST_CASE("multiply_high is the upper half of the product, on every instruction set", "[kernels]") {
  const RandomStream stream{5, 0, 0};
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (const std::uint32_t factor : {0u, 1u, 2u, 0x80000000u, 0xD2511F53u, 0xFFFFFFFFu}) {
      for (const std::size_t count : {0u, 16u, 32u, 128u}) {
        std::vector<std::uint32_t> words;
        for (std::uint64_t i = 0; words.size() < count; ++i) {
          const PhiloxBlock block = stream.block(i);
          words.insert(words.end(), {block[0], block[1], 0xFFFFFFFF, 0});
        }
        std::vector<std::uint32_t> wanted;
        for (const std::uint32_t word : words) {
          wanted.push_back(static_cast<std::uint32_t>(std::uint64_t{word} * factor >> 32));
        }
        multiply_high(isa)(words.data(), static_cast<int>(count), factor);
        INFO(to_string(isa) << ", factor " << factor << ", count " << count);
        REQUIRE(words == wanted);
      }
    }
  }
}

}  // namespace multiply_high_test
