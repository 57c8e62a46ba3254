#include "regtorch/training/lookahead.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "regtorch/training/trainer.hpp"
#include "toy.hpp"

namespace lookahead_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::toy_batches;
using regtorch::testing::toy_model;

namespace {

/// A net with buffers: the running statistics, and an integer.
struct NetImpl : torch::nn::Module {
  torch::nn::BatchNorm1d norm{register_module("norm", torch::nn::BatchNorm1d(4))};
  torch::nn::Linear head{register_module("head", torch::nn::Linear(4, 3))};
  torch::Tensor forward(const torch::Tensor& x) { return head(norm(x)); }
};
TORCH_MODULE(Net);

/// What an optimizer might do.
void change(torch::nn::Module& model, double by) {
  const torch::NoGradGuard no_grad;
  for (auto& tensor : model.parameters()) {
    tensor.add_(by);
  }
  for (auto& tensor : model.buffers()) {
    tensor.is_floating_point() ? tensor.add_(2 * by) : tensor.add_(1);
  }
}

}  // namespace

TEST_CASE("Lookahead's slow weights are the formula's", "[training]") {
  for (const std::int64_t period : {1, 2, 5}) {
    Net net;
    const auto weight = [&] { return net->head->weight[1][2].item<double>(); };
    const auto mean = [&] { return net->norm->running_mean[3].item<double>(); };
    rt::Lookahead lookahead(rt::LookaheadOptions().period(period).alpha(
        [](std::int64_t step) { return 0.25 + 0.01 * static_cast<double>(step); }));
    lookahead.begin(*net);
    // Numbers up to 16, each rounded a dozen times to 2^-24 of itself.
    constexpr double kBound = 12 * 16 * 0x1p-24;
    double slow_weight = weight(), slow_mean = mean();
    for (std::int64_t step = 1; step <= 10; ++step) {
      change(*net, 0.5);
      const double fast_weight = weight(), fast_mean = mean();
      const bool synchronized = lookahead.step(*net);
      CHECK(synchronized == (step % period == 0));
      if (synchronized) {
        const double alpha = 0.25 + 0.01 * static_cast<double>(step);
        slow_weight += alpha * (fast_weight - slow_weight);
        slow_mean += alpha * (fast_mean - slow_mean);
        CHECK(std::abs(weight() - slow_weight) < kBound);
        CHECK(std::abs(mean() - slow_mean) < kBound);
      } else {
        CHECK(weight() == fast_weight);
        CHECK(mean() == fast_mean);
      }
    }
    CHECK(net->norm->num_batches_tracked.item<std::int64_t>() == 10);
    change(*net, 7);
    lookahead.finish(*net);
    CHECK(std::abs(weight() - slow_weight) < kBound);
    CHECK(std::abs(mean() - slow_mean) < kBound);
  }
}

TEST_CASE("Lookahead in a fit counts optimizer steps, and is its loop by hand", "[training]") {
  const auto batches = toy_batches(40, 8, 0);  // 5 batches
  for (const std::int64_t accumulated : {1, 2}) {
    // Each with the same weights and the same seed of the dropout.
    auto model = toy_model();
    const auto options = rt::TrainerOptions().epochs(3).accumulate_grad_batches(accumulated);

    torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.1));
    rt::Trainer trainer(model, optimizer, torch::nn::CrossEntropyLoss(), options);
    rt::Lookahead lookahead(rt::LookaheadOptions().period(2).alpha(0.3));
    trainer.fit(batches, lookahead);

    struct ByHand {
      rt::Lookahead& lookahead;
      std::int64_t steps = 0;
      void on_fit_begin(rt::TrainingState& state) { lookahead.begin(state.model); }
      void on_batch_end(rt::TrainingState& state) {
        if (state.step != steps) {
          lookahead.step(state.model);
        }
        steps = state.step;
      }
      void on_fit_end(rt::TrainingState& state) { lookahead.finish(state.model); }
    };
    auto by_hand = toy_model();
    torch::optim::SGD other(by_hand->parameters(), torch::optim::SGDOptions(0.1));
    rt::Trainer other_trainer(by_hand, other, torch::nn::CrossEntropyLoss(), options);
    rt::Lookahead other_lookahead(rt::LookaheadOptions().period(2).alpha(0.3));
    ByHand callback{other_lookahead};
    other_trainer.fit(batches, callback);
    CHECK(callback.steps == (accumulated == 1 ? 15 : 9));
    for (const auto& parameter : model->named_parameters()) {
      CHECK(parameter.value().equal(by_hand->named_parameters()[parameter.key()]));
    }
  }
}

TEST_CASE("Lookahead goes on from its state", "[training]") {
  Net first, second;
  rt::Lookahead lookahead(rt::LookaheadOptions().period(3));
  lookahead.begin(*first);
  for (int step = 0; step < 4; ++step) {
    change(*first, 0.5);
    lookahead.step(*first);
  }
  rt::Lookahead other(rt::LookaheadOptions().period(3));
  const auto state = lookahead.state_dict();
  other.load_state_dict(state);
  {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < first->parameters().size(); ++i) {
      second->parameters()[i].copy_(first->parameters()[i]);
    }
    for (std::size_t i = 0; i < first->buffers().size(); ++i) {
      second->buffers()[i].copy_(first->buffers()[i]);
    }
  }
  for (int step = 0; step < 3; ++step) {
    change(*first, 0.25);
    change(*second, 0.25);
    CHECK(lookahead.step(*first) == other.step(*second));
    for (std::size_t i = 0; i < first->parameters().size(); ++i) {
      CHECK(second->parameters()[i].equal(first->parameters()[i]));
    }
  }
  // The state is a copy, and a wrong one changes nothing.
  CHECK(state["steps"].item<std::int64_t>() == 4);
  CHECK_THROWS_AS(other.load_state_dict(rt::TensorDict()), c10::Error);
  CHECK(other.state_dict()["steps"].item<std::int64_t>() == 7);
}

TEST_CASE("Lookahead says what is wrong", "[training]") {
  CHECK(contains(error_of([] { rt::Lookahead(rt::LookaheadOptions().period(0)); }),
                 "Lookahead: wanted a period of at least 1, got 0"));
  CHECK(contains(error_of([] { rt::Lookahead(rt::LookaheadOptions().alpha(nullptr)); }),
                 "wanted an alpha, got none"));
  Net net;
  rt::Lookahead lookahead;
  CHECK(contains(error_of([&] { lookahead.step(*net); }), "wanted begin() with this model first"));
  lookahead.begin(*net);
  torch::nn::Linear another(2, 2);
  CHECK(contains(error_of([&] { lookahead.finish(*another); }), "wanted begin() with this model"));
  rt::Lookahead infinite(rt::LookaheadOptions().period(1).alpha(INFINITY));
  infinite.begin(*net);
  const auto before = net->head->weight.detach().clone();
  CHECK(contains(error_of([&] { infinite.step(*net); }), "a finite alpha for step 1, got inf"));
  CHECK(net->head->weight.equal(before));
}

}  // namespace lookahead_test
