#include "regtorch/data/subset.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "catch.hpp"
#include "fixtures.hpp"

namespace subset_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::load_all;
using regtorch::testing::random_dataset;
using rt::data::Subset;

TEST_CASE("a dataset converts to the subset of all its examples", "[data]") {
  const auto data = random_dataset(7, 4);
  const Subset all = data;
  CHECK(all.indices().equal(torch::arange(7)));
  CHECK(all.size().value() == 7);
  CHECK(all.dataset().images().data_ptr() == data.images().data_ptr());
}

TEST_CASE("a subset gives the dataset's examples in its own order", "[data]") {
  const auto data = random_dataset(7, 4);
  const auto indices = torch::tensor({6, 0, 6, 3}, torch::kLong);
  Subset subset(data, indices);
  CHECK(subset.size().value() == 4);
  CHECK(subset.dataset().images().data_ptr() == data.images().data_ptr());
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto example = subset.get(static_cast<std::size_t>(i));
    CHECK(
        example.data.equal(data.images()[indices[i].item<std::int64_t>()].to(torch::kFloat) / 255));
    CHECK(example.data.min().item<float>() >= 0);
    CHECK(example.data.max().item<float>() <= 1);
    CHECK(example.target.equal(data.targets()[indices[i].item<std::int64_t>()]));
  }
  CHECK(Subset(data, torch::empty({0}, torch::kLong)).size() == 0);
  Subset every_other(data, torch::arange(7).slice(0, 0, 7, 2));  // not contiguous
  CHECK(every_other.get(3).target.item<std::int64_t>() == 6);
}

TEST_CASE("a subset may outlive its dataset", "[data]") {
  std::optional<Subset> subset;
  {
    const auto data = random_dataset(7, 4, 10, /*seed=*/5);
    subset.emplace(data, torch::tensor({2}, torch::kLong));
  }
  CHECK(subset->get(0).data.equal(random_dataset(7, 4, 10, 5).get(2).data));
}

TEST_CASE("Subset serves LibTorch's data loader", "[data]") {
  const auto data = random_dataset(23, 6);
  const auto indices = torch::arange(22, -1, -2);
  for (const std::size_t workers : {0, 2}) {
    const auto loaded = load_all(Subset(data, indices), 5, workers);
    CHECK(loaded.data.equal(data.images().index_select(0, indices).to(torch::kFloat) / 255));
    CHECK(loaded.target.equal(data.targets().index_select(0, indices)));
  }
}

TEST_CASE("Subset says what it wanted and what came", "[data]") {
  const auto data = random_dataset(7, 4);
  const auto message = [&](const torch::Tensor& indices) {
    return error_of([&] { Subset(data, indices); });
  };
  const char* wanted = "Subset: wanted indices of type Long (int64) and shape [N], got ";
  CHECK(contains(message(torch::zeros({2}, torch::kInt)), std::string(wanted) + "Int [2]"));
  CHECK(contains(message(torch::zeros({2, 1}, torch::kLong)), std::string(wanted) + "Long [2, 1]"));
  CHECK(contains(message({}), std::string(wanted) + "an undefined tensor"));
  CHECK(contains(message(torch::zeros({2}, torch::kLong).to(torch::kMeta)),
                 "wanted indices on the CPU, got Long [2] on meta"));
  CHECK(contains(message(torch::tensor({0, 6, 7})), "wanted indices in [0, 7), got 7 at place 2"));
  CHECK(contains(message(torch::tensor({0, -1})), "wanted indices in [0, 7), got -1 at place 1"));
  CHECK_THROWS_AS(Subset(data, torch::tensor({7})), c10::ValueError);

  Subset subset(data, torch::tensor({6, 0}));
  CHECK_THROWS_AS(subset.get(2), c10::IndexError);
  CHECK(contains(error_of([&] { subset.get(2); }), "Subset: wanted an index below 2, got 2"));
}

}  // namespace subset_test
