#include "regtorch/core/key.hpp"

#include "catch.hpp"

namespace key_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

TEST_CASE("a key's stream carries seed, pass and purpose", "[core]") {
  const auto stream = rt::Key{12, 34}.stream(rt::Purpose::kShuffle);
  CHECK(stream.seed == 12);
  CHECK(stream.pass == 34);
  CHECK(stream.purpose == static_cast<std::uint32_t>(rt::Purpose::kShuffle));
  const auto message = error_of([] {
    (void)rt::Key{0, std::uint64_t{1} << 32}.stream(rt::Purpose::kSplit);
  });
  CHECK(contains(message, "pass below 2^32, got 4294967296"));
}

TEST_CASE("torch::manual_seed governs the seeds that nobody gave", "[core]") {
  CHECK(rt::seed_or_draw(5) == 5);
  torch::manual_seed(1);
  const auto first = rt::seed_or_draw(std::nullopt);
  const auto second = rt::seed_or_draw(std::nullopt);
  CHECK(first != second);
  torch::manual_seed(1);
  CHECK(rt::seed_or_draw(std::nullopt) == first);
}

}  // namespace key_test
