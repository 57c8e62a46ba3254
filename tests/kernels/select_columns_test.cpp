#include "regtorch/kernels/select_columns.hpp"

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/philox.hpp"

using namespace regtorch::kernels;

TEST_CASE("select_columns picks the same bytes on every instruction set", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    const SelectColumns select = select_columns(isa);
    for (const int width : {1, 2, 31, 32, 33, 64, 100}) {
      for (const int count : {1, 15, 31, 32, 33, 70}) {
        // Exactly as much memory as promised, on the heap, so that a sanitizer sees an overrun.
        std::vector<std::uint8_t> row(static_cast<std::size_t>(width));
        const std::size_t padded = (static_cast<std::size_t>(count) + 31) / 32 * 32;
        std::vector<std::uint16_t> columns(padded);
        std::vector<std::uint8_t> out(padded);
        const RandomStream random{static_cast<std::uint64_t>(width), 0, 0};
        for (std::size_t i = 0; i < row.size(); ++i) {
          row[i] = static_cast<std::uint8_t>(random.block(i)[0]);
        }
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
          columns[i] = static_cast<std::uint16_t>(
              bounded(random.block(i)[1], static_cast<std::uint32_t>(width)));
        }
        select(row.data(), width, columns.data(), count, out.data());
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
          REQUIRE(out[i] == row[columns[i]]);
        }
      }
    }
  }
}
