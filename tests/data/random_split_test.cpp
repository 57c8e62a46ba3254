#include "regtorch/data/random_split.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "catch.hpp"
#include "fixtures.hpp"

namespace random_split_test {

using regtorch::testing::chi_square;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::load_all;
using regtorch::testing::random_dataset;
using rt::data::random_split;
using rt::data::Subset;

namespace {

torch::Tensor all_indices(const std::vector<Subset>& parts) {
  std::vector<torch::Tensor> indices;
  for (const auto& part : parts) {
    indices.push_back(part.indices());
  }
  return torch::cat(indices);
}
torch::Tensor sorted(const torch::Tensor& indices) { return std::get<0>(indices.sort()); }

/// The order that a split of `dataset` follows under a seed.
torch::Tensor order(const Subset& dataset, std::optional<std::uint64_t> seed = std::nullopt) {
  return random_split(dataset, {dataset.indices().size(0)}, seed)[0].indices();
}

}  // namespace

TEST_CASE("random_split puts each example into one part, without copying images", "[data]") {
  const auto data = random_dataset(100, 2);
  const std::vector<std::int64_t> sizes{60, 0, 39, 1};
  const auto parts = random_split(data, sizes, 3);
  REQUIRE(parts.size() == sizes.size());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    CHECK(parts[p].size().value() == static_cast<std::size_t>(sizes[p]));
    CHECK(parts[p].dataset().images().data_ptr() == data.images().data_ptr());
  }
  CHECK(sorted(all_indices(parts)).equal(torch::arange(100)));
  CHECK_FALSE(all_indices(parts).equal(torch::arange(100)));
  CHECK(random_split(random_dataset(0, 2), {0, 0}, 3).size() == 2);
}

TEST_CASE("random_split is a permutation, for any number of examples and any seed", "[data]") {
  for (const std::int64_t count : {1, 2, 3, 97, 1000, 50000}) {
    const auto data = random_dataset(count, 1);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      CAPTURE(count, seed);
      CHECK(sorted(order(data, seed)).equal(torch::arange(count)));
    }
  }
}

TEST_CASE("random_split depends on the seed alone", "[data]") {
  const auto data = random_dataset(100, 2);
  const auto wanted = order(data, 3);
  torch::manual_seed(11);
  CHECK(order(random_dataset(100, 4, 2, /*seed=*/9), 3).equal(wanted));
  CHECK(all_indices(random_split(data, {1, 98, 1}, 3)).equal(wanted));
  CHECK_FALSE(order(data, 4).equal(wanted));
}

TEST_CASE("without a seed random_split follows torch::manual_seed", "[data]") {
  const auto data = random_dataset(100, 2);
  torch::manual_seed(5);
  const auto first = order(data);
  const auto second = order(data);
  CHECK_FALSE(second.equal(first));
  torch::manual_seed(5);
  CHECK(order(data).equal(first));
  CHECK(order(data).equal(second));
}

TEST_CASE("each example is as likely in one part as in another", "[data]") {
  // Where example 0 lands in 2,000 splits: 9 degrees of freedom, exceeded once in 1,000 times.
  const auto data = random_dataset(10, 1);
  auto place = torch::empty({2000}, torch::kLong);
  for (std::int64_t seed = 0; seed < 2000; ++seed) {
    place[seed] = order(data, static_cast<std::uint64_t>(seed)).argsort()[0];
  }
  CHECK(chi_square(place, 10) < 27.88);
}

TEST_CASE("a part can be split again", "[data]") {
  const auto data = random_dataset(100, 2);
  const auto part = random_split(data, {70, 30}, 3)[0];
  const auto pieces = random_split(part, {50, 20}, 4);
  CHECK(sorted(all_indices(pieces)).equal(sorted(part.indices())));
  CHECK_FALSE(all_indices(pieces).equal(part.indices()));
  CHECK(pieces[1].dataset().images().data_ptr() == data.images().data_ptr());
  auto piece = pieces[1];
  CHECK(piece.get(5).target.equal(data.targets()[piece.indices()[5].item<std::int64_t>()]));
  CHECK(random_split(data, {70, 30}, 3)[0].indices().equal(part.indices()));  // left as it was
}

TEST_CASE("a part serves LibTorch's data loader", "[data]") {
  const auto data = random_dataset(40, 4);
  const auto part = random_split(data, {25, 15}, 3)[0];
  const auto loaded = load_all(part, 10);
  CHECK(loaded.data.equal(data.images().index_select(0, part.indices()).to(torch::kFloat) / 255));
  CHECK(loaded.target.equal(data.targets().index_select(0, part.indices())));
}

TEST_CASE("random_split refuses sizes that do not add up", "[data]") {
  const auto data = random_dataset(100, 2);
  const auto message = [&](const std::vector<std::int64_t>& sizes) {
    return error_of([&] { random_split(data, sizes, 0); });
  };
  const auto too_few = message({60, 39});
  CHECK(contains(too_few, "random_split: wanted sizes that add up to the dataset's 100 examples"));
  CHECK(contains(too_few, "[60, 39] = 99"));
  CHECK(contains(message({60, 41}), "101"));
  CHECK(contains(message({}), "100"));
  CHECK(contains(message({110, -10}), "wanted sizes of at least 0, got -10"));
  constexpr auto kHuge = std::int64_t{1} << 62;  // four of them add up to 2^64, which wraps to 0
  CHECK_FALSE(message({kHuge, kHuge, kHuge, kHuge + 100}).empty());
  CHECK_THROWS_AS(random_split(data, {60, 39}, 0), c10::ValueError);
  CHECK_THROWS_AS(random_split(data, {110, -10}, 0), c10::ValueError);
}

}  // namespace random_split_test
