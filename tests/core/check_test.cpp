#include "regtorch/core/check.hpp"

#include "catch.hpp"

namespace check_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

TEST_CASE("describe tells type, shape and device", "[core]") {
  CHECK(rt::describe(torch::zeros({2, 3}, torch::kByte)) == "Byte [2, 3] on cpu");
  CHECK(rt::describe(torch::Tensor()) == "an undefined tensor");
}

TEST_CASE("check_images takes uint8 [N,3,H,W] and nothing else", "[core]") {
  const auto error = [](const torch::Tensor& images) {
    return error_of([&] { rt::check_images("Piece", images); });
  };
  CHECK(error(torch::zeros({0, 3, 1, 1}, torch::kByte)).empty());
  CHECK(contains(error(torch::zeros({2, 3, 4, 4})),
                 "Piece: wanted images of type Byte (uint8) and shape [N, 3, H, W], "
                 "got Float [2, 3, 4, 4] on cpu"));
  CHECK(contains(error(torch::zeros({2, 1, 4, 4}, torch::kByte)), "got Byte [2, 1, 4, 4]"));
  CHECK(contains(error(torch::zeros({3, 4, 4}, torch::kByte)), "got Byte [3, 4, 4]"));
  CHECK(contains(error(torch::zeros({2, 3, 0, 4}, torch::kByte)), "got Byte [2, 3, 0, 4]"));
  CHECK(contains(error({}), "got an undefined tensor"));
}

TEST_CASE("check_indices takes int64 [N] and nothing else", "[core]") {
  const auto error = [](const torch::Tensor& indices) {
    return error_of([&] { rt::check_indices("Piece", indices); });
  };
  CHECK(error(torch::arange(3)).empty());
  CHECK(contains(error(torch::arange(3, torch::kInt)), "Piece: wanted indices of type Long"));
  CHECK(contains(error(torch::zeros({1, 1}, torch::kLong)), "got Long [1, 1] on cpu"));
}

}  // namespace check_test
