#include "regtorch/data/concat.hpp"

#include <cstdint>

#include "catch.hpp"
#include "fixtures.hpp"

namespace concat_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_dataset;
using rt::data::concat;
using rt::data::Subset;

TEST_CASE("concat puts the second dataset's examples behind the first's", "[data]") {
  const auto first = random_dataset(5, 4, 3, /*seed=*/1);
  const auto second = random_dataset(8, 4, 7, /*seed=*/2);
  const auto both = concat(first, second);
  REQUIRE(both.size().value() == 13);
  CHECK(both.images().slice(0, 0, 5).equal(first.images()));
  CHECK(both.images().slice(0, 5).equal(second.images()));
  CHECK(both.targets().slice(0, 0, 5).equal(first.targets()));
  CHECK(both.targets().slice(0, 5).equal(second.targets()));
  CHECK(both.num_classes() == 7);
  CHECK(concat(second, first).num_classes() == 7);

  const auto before = first.images().clone();
  both.images().fill_(0);  // copies, not views
  CHECK(first.images().equal(before));
}

TEST_CASE("concat joins the parts of subsets, in their order", "[data]") {
  const auto first = random_dataset(5, 4, 10, /*seed=*/1);
  const auto second = random_dataset(8, 4, 10, /*seed=*/2);
  const auto both =
      concat(Subset(first, torch::tensor({4, 0})), Subset(second, torch::tensor({7})));
  CHECK(both.images().equal(
      torch::stack({first.images()[4], first.images()[0], second.images()[7]})));
  CHECK(both.targets().equal(torch::tensor({4, 0, 7})));

  const Subset nothing(second, torch::empty({0}, torch::kLong));
  CHECK(concat(first, nothing).images().equal(first.images()));
  CHECK(concat(nothing, first).targets().equal(first.targets()));
}

TEST_CASE("concat refuses images of different sizes", "[data]") {
  const auto message = error_of([] { concat(random_dataset(5, 4), random_dataset(2, 6)); });
  CHECK(contains(message, "concat: wanted images of one size"));
  CHECK(contains(message, "[5, 3, 4, 4]"));
  CHECK(contains(message, "[2, 3, 6, 6]"));
  CHECK_THROWS_AS(concat(random_dataset(5, 4), random_dataset(2, 6)), c10::ValueError);
}

}  // namespace concat_test
