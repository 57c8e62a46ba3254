#include "regtorch/kernels/select_columns.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/philox.hpp"

namespace select_columns_test {

using namespace regtorch::kernels;

namespace {

constexpr std::size_t kRows = 2;

/// Picks `columns` out of both rows of three channels of random bytes, on each instruction set.
void check(int width, std::vector<int> columns) {
  const auto count = static_cast<int>(columns.size());
  // Exactly as much memory as promised, on the heap, so that a sanitizer sees an overrun.
  const std::size_t plane = kRows * static_cast<std::size_t>(width);
  std::vector<std::uint8_t> pixels(3 * plane);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(RandomStream{1, 0, 0}.block(i)[0]);
  }
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    SelectColumns select(isa, width, count);
    columns.resize(select.padded(), columns.back());
    std::vector<std::uint8_t> out(3 * select.padded());
    select.aim(columns.data(), count);
    for (std::size_t y = 0; y < kRows; ++y) {
      const std::uint8_t* row = pixels.data() + y * static_cast<std::size_t>(width);
      select(row, plane, out.data());
      for (std::size_t c = 0; c < 3; ++c) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
          const int from = columns[i];
          REQUIRE(out[c * select.padded() + i] ==
                  (from < 0 ? 0 : row[c * plane + static_cast<std::size_t>(from)]));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("select_columns picks the same bytes on every instruction set", "[kernels]") {
  for (const int width : {1, 2, 15, 16, 17, 31, 32, 33, 64, 100}) {
    for (const int count : {1, 15, 31, 32, 33, 70}) {
      const auto columns = [&](auto column_of) {
        std::vector<int> made;
        for (int i = 0; i < count; ++i) {
          made.push_back(column_of(i));
        }
        return made;
      };
      const auto inside = [&](int x) { return x < 0 || x >= width ? kOutside : x; };
      // Any order, some outside; crops; flipped crops; mirrored ones; nothing at all.
      check(width, columns([&](int i) {
              const auto word = RandomStream{2, 0, 0}.block(static_cast<std::uint64_t>(i))[1];
              return static_cast<int>(bounded(word, static_cast<std::uint32_t>(width + 1))) - 1;
            }));
      for (const int shift : {-40, -4, 0, 3, 40}) {
        check(width, columns([&](int i) { return inside(i + shift); }));
        check(width, columns([&](int i) { return inside(width - 1 - i + shift); }));
      }
      check(width, columns([&](int i) { return std::min(std::abs(i - 4), width - 1); }));
      check(width, columns([&](int) { return kOutside; }));
    }
  }
}

TEST_CASE("select_columns can be aimed anew, at fewer columns too", "[kernels]") {
  SelectColumns select(best_isa(), 40, 70);
  std::vector<std::uint8_t> row(3 * 40);
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = static_cast<std::uint8_t>(i);
  }
  std::vector<std::uint8_t> out(3 * select.padded());
  for (const int count : {70, 3, 33}) {
    std::vector<int> columns(select.padded());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      columns[i] = static_cast<int>((i * 7 + static_cast<std::size_t>(count)) % 40);
    }
    select.aim(columns.data(), count);
    select(row.data(), 40, out.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      REQUIRE(out[2 * select.padded() + i] == 80 + columns[i]);
    }
  }
}

}  // namespace select_columns_test
