#include "regtorch/training/fit_parts.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

namespace fit_parts_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

std::string bytes_of(const torch::optim::Optimizer& optimizer) {
  rt::TensorDict state;
  state.insert("bytes", regtorch::detail::optimizer_bytes(optimizer));
  return regtorch::detail::StateReader("test", state).text("bytes");
}

}  // namespace

TEST_CASE("skip goes over batches one by one where an iterator cannot", "[training]") {
  const std::vector<int> batches{0, 1, 2};
  auto next = batches.begin();
  regtorch::detail::skip(next, batches.end(), 2);
  CHECK(*next == 2);
  regtorch::detail::skip(next, batches.end(), 0);
  CHECK(*next == 2);
  next = batches.begin();
  CHECK(contains(error_of([&] { regtorch::detail::skip(next, batches.end(), 4); }),
                 "wanted more than 4 batches in an epoch, got 3"));
}

TEST_CASE("an optimizer keeps its state where another's cannot be loaded", "[training]") {
  const auto parameter = torch::ones({3}, torch::requires_grad());
  torch::optim::Adam adam({parameter});
  parameter.mutable_grad() = torch::ones({3});
  adam.step();
  const auto before = bytes_of(adam);
  torch::optim::SGD two_groups({torch::optim::OptimizerParamGroup({parameter}),
                                torch::optim::OptimizerParamGroup({torch::ones({1})})},
                               torch::optim::SGDOptions(0.1));
  CHECK_THROWS_AS(regtorch::detail::load_optimizer(adam, bytes_of(two_groups)), c10::Error);
  CHECK(adam.state().size() == 1);
  CHECK(bytes_of(adam) == before);
}

}  // namespace fit_parts_test
