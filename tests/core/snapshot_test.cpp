#include "regtorch/core/snapshot.hpp"

#include "catch.hpp"

namespace snapshot_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {
torch::nn::Sequential make_net(std::int64_t width = 3) {
  return torch::nn::Sequential(torch::nn::Linear(2, width), torch::nn::BatchNorm1d(width));
}
}  // namespace

TEST_CASE("a snapshot brings back parameters and buffers bit for bit", "[core]") {
  auto net = make_net();
  const auto x = torch::rand({5, 2});
  net->forward(x);  // moves the running statistics
  rt::Snapshot snapshot;
  for (int round = 0; round < 2; ++round) {  // the second capture uses the first one's memory
    snapshot.capture(*net);
    net->eval();
    const auto wanted = net->forward(x);
    net->train();
    const auto weight = net->parameters()[0];
    {
      const torch::NoGradGuard no_grad;
      for (auto& parameter : net->parameters()) {
        parameter.add_(1);
      }
    }
    net->forward(x);
    snapshot.restore(*net);
    CHECK(net->parameters()[0].is_same(weight));  // the optimizer's tensors stay
    net->eval();
    CHECK(net->forward(x).equal(wanted));
    CHECK(net->buffers()[2].item<std::int64_t>() == round + 1);  // num_batches_tracked
    net->train();
    net->forward(x);
  }
}

TEST_CASE("a snapshot refuses another module and leaves it alone", "[core]") {
  rt::Snapshot snapshot;
  auto net = make_net();
  CHECK(contains(error_of([&] { snapshot.restore(*net); }), "nothing was captured"));
  snapshot.capture(*net);
  auto other = make_net(4);
  const auto before = other->parameters()[0].clone();
  CHECK(contains(error_of([&] { snapshot.restore(*other); }), "wanted the module"));
  CHECK(other->parameters()[0].equal(before));
}

}  // namespace snapshot_test
