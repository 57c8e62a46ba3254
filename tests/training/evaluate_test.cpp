#include "regtorch/training/evaluate.hpp"

#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "toy.hpp"

namespace evaluate_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::toy_batches;
using regtorch::testing::toy_model;
using regtorch::testing::ToyBatch;

TEST_CASE("evaluate gives the mean over samples, also with a ragged last batch", "[training]") {
  auto model = toy_model();
  torch::nn::CrossEntropyLoss criterion;
  auto batches = toy_batches(50, 16, 1);
  const auto evaluation = rt::evaluate(model, batches, criterion);

  const auto all = toy_batches(50, 50, 1)[0];
  model->eval();
  const torch::NoGradGuard no_grad;
  const auto logits = model->forward(all.images).to(torch::kDouble);
  const auto loss = torch::nn::functional::cross_entropy(logits, all.labels).item<double>();
  CHECK(evaluation.loss == Approx(loss).epsilon(1e-5));
  CHECK(evaluation.accuracy ==
        logits.argmax(1).eq(all.labels).to(torch::kDouble).mean().item<double>());
  CHECK(evaluation.samples == 50);
}

TEST_CASE("evaluate changes nothing: mode, buffers, gradients", "[training]") {
  auto model = toy_model();
  model[3]->eval();  // one module is frozen
  torch::nn::CrossEntropyLoss criterion;
  auto batches = toy_batches(20, 10, 1);
  std::vector<torch::Tensor> before;
  for (const auto& buffer : model->buffers()) {
    before.push_back(buffer.clone());
  }
  rt::evaluate(model, batches, criterion);
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(model->buffers()[i].equal(before[i]));
  }
  for (const auto& parameter : model->parameters()) {
    CHECK_FALSE(parameter.grad().defined());
  }
  CHECK(model->is_training());
  CHECK_FALSE(model[3]->is_training());
  CHECK(model[1]->is_training());
  CHECK(torch::GradMode::is_enabled());

  auto failing = [](const torch::Tensor&, const torch::Tensor&) -> torch::Tensor {
    throw std::runtime_error("criterion");
  };
  CHECK(error_of([&] { rt::evaluate(model, batches, failing); }) == "criterion");
  CHECK(model->is_training());
  CHECK_FALSE(model[3]->is_training());
}

TEST_CASE("evaluate computes in the type asked for", "[training]") {
  auto model = toy_model();
  auto batches = toy_batches(20, 10, 1);
  auto criterion = [](const torch::Tensor& logits, const torch::Tensor& labels) {
    CHECK(logits.scalar_type() == torch::kBFloat16);
    return torch::nn::functional::cross_entropy(logits, labels);
  };
  CHECK(rt::evaluate(model, batches, criterion, torch::kBFloat16).samples == 20);
}

TEST_CASE("evaluate says what is wrong with the data", "[training]") {
  auto model = toy_model();
  torch::nn::CrossEntropyLoss criterion;
  std::vector<ToyBatch> none;
  CHECK(contains(error_of([&] { rt::evaluate(model, none, criterion); }),
                 "wanted at least one batch, got none"));
  std::vector<ToyBatch> bad{{torch::zeros({2, 4}), torch::tensor({0, 2})}};
  CHECK(contains(error_of([&] { rt::evaluate(model, bad, criterion); }),
                 "Target 2 is out of bounds"));
}

}  // namespace evaluate_test
