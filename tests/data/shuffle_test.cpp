#include "regtorch/data/shuffle.hpp"

#include <cstdint>
#include <tuple>

#include "catch.hpp"
#include "fixtures.hpp"
#include "regtorch/core/key.hpp"

namespace shuffle_test {

using regtorch::testing::chi_square;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using rt::data::shuffle_;

namespace {

torch::Tensor shuffled(std::int64_t size, rt::Key key) {
  auto indices = torch::arange(size);
  shuffle_(indices, key.stream(rt::Purpose::kShuffle));
  return indices;
}

}  // namespace

TEST_CASE("shuffle_ keeps every element once, in place", "[data]") {
  for (const std::int64_t size : {0, 1, 2, 3, 100, 50000}) {
    auto indices = torch::arange(size) + 5;
    const auto* memory = indices.data_ptr();
    shuffle_(indices, rt::Key{1}.stream(rt::Purpose::kShuffle));
    CHECK(indices.data_ptr() == memory);
    CHECK(std::get<0>(indices.sort()).equal(torch::arange(size) + 5));
    CHECK((size < 100 || !indices.equal(torch::arange(size) + 5)));
  }
}

TEST_CASE("shuffle_ depends on seed, pass and purpose, and on nothing else", "[data]") {
  const auto order = shuffled(1000, {7, 2});
  torch::manual_seed(1);
  CHECK(shuffled(1000, {7, 2}).equal(order));
  CHECK_FALSE(shuffled(1000, {8, 2}).equal(order));
  CHECK_FALSE(shuffled(1000, {7 + (std::uint64_t{1} << 32), 2}).equal(order));
  CHECK_FALSE(shuffled(1000, {7, 3}).equal(order));
  auto split = torch::arange(1000);
  shuffle_(split, rt::Key{7, 2}.stream(rt::Purpose::kSplit));
  CHECK_FALSE(split.equal(order));
}

TEST_CASE("shuffle_ puts an element anywhere with equal chance", "[data]") {
  // 10,000 seeds, or passes: 9 degrees of freedom, exceeded by a fair shuffle once in 1,000 times.
  constexpr double kBound = 27.88;
  constexpr std::int64_t kShuffles = 10000;
  auto by_seed = torch::empty({kShuffles, 10}, torch::kLong);
  auto by_pass = torch::empty({kShuffles, 10}, torch::kLong);
  for (std::int64_t i = 0; i < kShuffles; ++i) {
    by_seed[i] = shuffled(10, {static_cast<std::uint64_t>(i), 0}).argsort();
    by_pass[i] = shuffled(10, {0, static_cast<std::uint64_t>(i)}).argsort();
  }
  for (const std::int64_t element : {0, 4, 9}) {
    CHECK(chi_square(by_seed.select(1, element).contiguous(), 10) < kBound);
    CHECK(chi_square(by_pass.select(1, element).contiguous(), 10) < kBound);
  }
}

TEST_CASE("shuffle_ gives all permutations equal chances", "[data]") {
  // 24 permutations, 24,000 seeds: 23 degrees of freedom, exceeded once in 1,000 times.
  constexpr std::int64_t kShuffles = 24000;
  auto number = torch::empty({kShuffles}, torch::kLong);
  for (std::int64_t i = 0; i < kShuffles; ++i) {
    const auto order = shuffled(4, {static_cast<std::uint64_t>(i), 0});
    const auto* o = order.const_data_ptr<std::int64_t>();
    number[i] = 6 * o[0] + 2 * (o[1] - (o[1] > o[0])) + (o[2] > o[3]);
  }
  REQUIRE(number.max().item<std::int64_t>() == 23);
  CHECK(chi_square(number, 24) < 49.73);
}

TEST_CASE("shuffle_ refuses more elements than its random words can tell apart", "[data]") {
  auto huge = torch::zeros({1}, torch::kLong).expand({std::int64_t{1} << 32});  // of no memory
  const auto message = error_of([&] { shuffle_(huge, rt::Key{0}.stream(rt::Purpose::kShuffle)); });
  CHECK(contains(message, "shuffle: wanted fewer than 2^32 indices, got 4294967296"));
}

TEST_CASE("shuffle_ refuses indices that do not lie side by side", "[data]") {
  auto strided = torch::arange(10).slice(0, 0, 10, 2);
  const auto message =
      error_of([&] { shuffle_(strided, rt::Key{0}.stream(rt::Purpose::kShuffle)); });
  CHECK(contains(message, "shuffle: wanted contiguous indices on the CPU, got Long [5]"));
  CHECK(strided.equal(torch::arange(0, 10, 2)));
}

}  // namespace shuffle_test
