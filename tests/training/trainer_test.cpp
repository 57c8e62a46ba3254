#include "regtorch/training/trainer.hpp"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "regtorch/labels/directional_disturb_label.hpp"
#include "regtorch/stopping/early_stopping.hpp"
#include "toy.hpp"

namespace trainer_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::toy_batches;
using regtorch::testing::toy_model;
using regtorch::testing::ToyBatch;

namespace {

bool equal_weights(const torch::nn::Module& a, const torch::nn::Module& b) {
  bool equal = a.parameters().size() == b.parameters().size();
  for (std::size_t i = 0; equal && i < a.parameters().size(); ++i) {
    equal = a.parameters()[i].equal(b.parameters()[i]);
  }
  for (std::size_t i = 0; equal && i < a.buffers().size(); ++i) {
    equal = a.buffers()[i].equal(b.buffers()[i]);
  }
  return equal;
}

/// A model, its optimizer and criterion, made the same way each time.
struct Setup {
  torch::nn::Sequential model = toy_model();
  torch::optim::Adam optimizer{model->parameters(), torch::optim::AdamOptions(1e-2)};
  torch::nn::CrossEntropyLoss criterion;
  std::vector<ToyBatch> train = toy_batches(64, 10, 1);
  std::vector<ToyBatch> validation = toy_batches(40, 16, 2);

  auto trainer(std::int64_t epochs) {
    return rt::Trainer(model, optimizer, criterion, rt::TrainerOptions().epochs(epochs));
  }
};

/// Writes down each hook as it is called.
struct Recorder {
  std::vector<std::string>& calls;
  std::string name = "";
  void on_fit_begin(rt::TrainingState&) { calls.push_back(name + "fit"); }
  void on_epoch_begin(rt::TrainingState& s) {
    calls.push_back(name + "epoch" + std::to_string(s.epoch));
  }
  void on_batch_end(rt::TrainingState& s) {
    calls.push_back(name + "step" + std::to_string(s.step));
  }
  void on_epoch_end(rt::TrainingState&) { calls.push_back(name + "end"); }
  void on_fit_end(rt::TrainingState&) { calls.push_back(name + "fit end"); }
};

struct StopAtStep {
  std::int64_t step;
  bool on_batch_end(rt::TrainingState& state) { return state.step == step; }
};

struct StopAtEpoch {
  std::int64_t epoch;
  bool on_epoch_end(rt::TrainingState& state) { return state.epoch == epoch; }
};

}  // namespace

TEST_CASE("Trainer trains as the plain loop does, bit for bit", "[training]") {
  Setup ours;
  torch::manual_seed(3);  // dropout
  const auto history = ours.trainer(3).fit(ours.train, ours.validation);

  Setup plain;
  torch::manual_seed(3);
  plain.model->train();
  for (int epoch = 0; epoch < 3; ++epoch) {
    double loss_sum = 0;
    double correct = 0;
    for (const auto& batch : plain.train) {
      plain.optimizer.zero_grad();
      const auto logits = plain.model->forward(batch.images);
      auto loss = plain.criterion(logits, batch.labels);
      loss.backward();
      plain.optimizer.step();
      loss_sum += loss.item<double>() * static_cast<double>(batch.labels.size(0));
      correct += logits.argmax(1).eq(batch.labels).sum().item<double>();
    }
    CHECK(history.metric("train_loss")[static_cast<std::size_t>(epoch)] ==
          Approx(loss_sum / 64).epsilon(1e-12));
    CHECK(history.metric("train_accuracy")[static_cast<std::size_t>(epoch)] == correct / 64);
  }
  CHECK(equal_weights(*ours.model, *plain.model));
  const auto evaluation = rt::evaluate(plain.model, plain.validation, plain.criterion);
  CHECK(history.metric("val_loss").back() == evaluation.loss);
  CHECK(history.metric("val_accuracy").back() == evaluation.accuracy);
  CHECK(history.metric("lr") == std::vector<double>(3, 1e-2));
  CHECK(history.metric("train_loss").back() < history.metric("train_loss").front());
}

TEST_CASE("hooks are called in order, each with its place in the fit", "[training]") {
  Setup setup;
  std::vector<std::string> calls;
  setup.train.resize(2);
  setup.trainer(2).fit(setup.train, setup.validation, Recorder{calls});
  CHECK(calls == std::vector<std::string>{"fit", "epoch1", "step1", "step2", "end", "epoch2",
                                          "step3", "step4", "end", "fit end"});
}

TEST_CASE("a callback stops the fit after a batch or an epoch", "[training]") {
  Setup setup;
  std::vector<std::string> calls;
  Recorder recorder{calls};
  // All callbacks still see the epoch in which one of them stops.
  auto history = setup.trainer(5).fit(setup.train, setup.validation, StopAtEpoch{2}, recorder);
  CHECK(history.epochs.size() == 2);
  CHECK(calls.back() == "fit end");
  CHECK(calls[calls.size() - 2] == "end");
  calls.clear();
  // In the midst of an epoch, which is then no part of the history: 7 batches are one.
  history = setup.trainer(5).fit(setup.train, setup.validation, StopAtStep{9}, recorder);
  CHECK(history.epochs.size() == 1);
  CHECK(std::count(calls.begin(), calls.end(), "end") == 1);
  CHECK(calls[calls.size() - 2] == "step9");
  CHECK(calls.back() == "fit end");
  calls.clear();
  // After the last batch of an epoch, which is whole.
  history = setup.trainer(5).fit(setup.train, setup.validation, StopAtStep{14}, recorder);
  CHECK(history.epochs.size() == 2);
  CHECK(history.metric("val_loss").size() == 2);
  CHECK(calls[calls.size() - 3] == "step14");
}

TEST_CASE("callbacks see how far the epoch is, and that another stops", "[training]") {
  struct Watcher {
    std::vector<std::int64_t>& samples;
    bool& stopping;
    void on_batch_end(rt::TrainingState& state) {
      CHECK(state.batches == 7);
      CHECK(state.batch == (state.step - 1) % 7 + 1);
      samples.push_back(state.samples);
    }
    void on_epoch_end(rt::TrainingState& state) { stopping = state.stopping; }
  };
  Setup setup;
  std::vector<std::int64_t> samples;
  bool stopping = false;
  setup.trainer(1).fit(setup.train, setup.validation, Watcher{samples, stopping}, StopAtEpoch{1});
  CHECK(samples == std::vector<std::int64_t>{10, 20, 30, 40, 50, 60, 64});
  CHECK_FALSE(stopping);  // the one that stops comes after
  setup.trainer(2).fit(setup.train, setup.validation, StopAtEpoch{1}, Watcher{samples, stopping});
  CHECK(stopping);
}

TEST_CASE("accumulated gradients are those of one large batch", "[training]") {
  // No batch norm, whose statistics are a batch's own, and no dropout.
  const auto linear_model = [] {
    torch::manual_seed(0);
    return torch::nn::Sequential(torch::nn::Linear(4, 8), torch::nn::ReLU(),
                                 torch::nn::Linear(8, 2));
  };
  torch::nn::CrossEntropyLoss criterion;
  const auto small = toy_batches(64, 10, 1);  // the last one has 4
  auto accumulating = linear_model();
  torch::optim::SGD optimizer(accumulating->parameters(),
                              torch::optim::SGDOptions(0.1).momentum(0.9));
  rt::Trainer trainer(accumulating, optimizer, criterion,
                      rt::TrainerOptions().epochs(2).accumulate_grad_batches(3));
  std::vector<std::string> calls;
  trainer.fit(small, Recorder{calls});
  CHECK(calls == std::vector<std::string>{"fit",    "epoch1", "step0", "step0", "step1",
                                          "step1",  "step1",  "step2", "step3", "end",
                                          "epoch2", "step3",  "step3", "step4", "step4",
                                          "step4",  "step5",  "step6", "end",   "fit end"});

  auto large = linear_model();
  torch::optim::SGD plain(large->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const std::vector<std::size_t>& group :
         {std::vector<std::size_t>{0, 1, 2}, {3, 4, 5}, {6}}) {
      std::vector<torch::Tensor> images;
      std::vector<torch::Tensor> labels;
      for (const auto i : group) {
        images.push_back(small[i].images);
        labels.push_back(small[i].labels);
      }
      plain.zero_grad();
      criterion(large->forward(torch::cat(images)), torch::cat(labels)).backward();
      plain.step();
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(accumulating->parameters()[i].allclose(large->parameters()[i], 1e-5, 1e-6));
  }
}

TEST_CASE("gradients are clipped before the step", "[training]") {
  const bool by_norm = GENERATE(true, false);
  Setup setup;
  torch::optim::SGD optimizer(setup.model->parameters(), torch::optim::SGDOptions(1));
  auto options = rt::TrainerOptions().epochs(2);
  by_norm ? options.clip_grad_norm(0.01) : options.clip_grad_value(0.01);
  rt::Trainer trainer(setup.model, optimizer, setup.criterion, options);
  torch::manual_seed(3);
  trainer.fit(setup.train);

  Setup plain;
  torch::optim::SGD plain_optimizer(plain.model->parameters(), torch::optim::SGDOptions(1));
  torch::manual_seed(3);
  plain.model->train();
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const auto& batch : plain.train) {
      plain_optimizer.zero_grad();
      plain.criterion(plain.model->forward(batch.images), batch.labels).backward();
      by_norm ? (void)torch::nn::utils::clip_grad_norm_(plain.model->parameters(), 0.01)
              : torch::nn::utils::clip_grad_value_(plain.model->parameters(), 0.01);
      plain_optimizer.step();
    }
  }
  for (std::size_t i = 0; i < plain.model->parameters().size(); ++i) {
    CHECK(setup.model->parameters()[i].allclose(plain.model->parameters()[i], 1e-5, 1e-7));
  }
}

TEST_CASE("the learning rate in the metrics is the one that was used", "[training]") {
  struct Halve {
    torch::optim::Adam& optimizer;
    void on_batch_end(rt::TrainingState& state) {
      CHECK(state.metrics.at("lr") == 0.01 * std::pow(0.5, state.step - 1));
      auto& options = optimizer.param_groups()[0].options();
      options.set_lr(options.get_lr() / 2);
    }
  };
  Setup setup;
  setup.train.resize(2);
  const auto history = setup.trainer(2).fit(setup.train, Halve{setup.optimizer});
  CHECK(history.metric("lr") == std::vector<double>{0.005, 0.00125});
}

TEST_CASE("a fit without validation data has no validation metrics", "[training]") {
  Setup setup;
  const auto history = setup.trainer(1).fit(setup.train, StopAtEpoch{1});
  CHECK(history.epochs[0].metrics.contains("train_loss"));
  CHECK_FALSE(history.epochs[0].metrics.contains("val_loss"));
  CHECK(contains(error_of([&] { setup.trainer(1).fit(setup.train, rt::EarlyStopping()); }),
                 "got 'val_loss'"));
}

TEST_CASE("autocast keeps float32 weights and sees every step's weights", "[training]") {
  Setup setup;
  rt::Trainer trainer(setup.model, setup.optimizer, setup.criterion,
                      rt::TrainerOptions().epochs(10).autocast(torch::kBFloat16));
  const auto history = trainer.fit(setup.train, setup.validation);
  CHECK(setup.model->parameters()[0].scalar_type() == torch::kFloat);
  CHECK_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  // The same training in float32: bfloat16 has 8 bits, so the losses agree to a few percent.
  Setup exact;
  const auto wanted = exact.trainer(10).fit(exact.train, exact.validation);
  CHECK(history.metric("val_loss").back() == Approx(wanted.metric("val_loss").back()).epsilon(0.1));
}

TEST_CASE("training sees disturbed labels, the accuracy the true ones", "[training]") {
  Setup setup;
  auto trainer = setup.trainer(30);
  trainer.disturb_labels([](const torch::Tensor& labels) { return 1 - labels; });
  const auto history = trainer.fit(setup.train, setup.validation);
  CHECK(history.metric("train_loss").back() < 0.5);
  CHECK(history.metric("train_accuracy").back() < 0.2);
  CHECK(history.metric("val_accuracy").back() < 0.2);
}

TEST_CASE("labels are disturbed by modules and callables, with or without the logits",
          "[training]") {
  const auto loss_with = [](auto disturb) {
    torch::manual_seed(11);
    Setup setup;
    auto trainer = setup.trainer(2);
    trainer.disturb_labels(disturb);
    return trainer.fit(setup.train).metric("train_loss");
  };
  const auto options = rt::DisturbLabelOptions(60, 2).seed(5);
  rt::DisturbLabel by_hand(options);
  const auto plain = loss_with([](const torch::Tensor& labels) { return labels; });
  const auto disturbed = loss_with(rt::DisturbLabel(options));
  CHECK(disturbed != plain);
  CHECK(disturbed == loss_with([&](const torch::Tensor& labels) { return by_hand(labels); }));
  // Sure of the wrong class, or of the right one: the logits decide what is disturbed.
  CHECK(loss_with([](const torch::Tensor& labels, const torch::Tensor& logits) {
          CHECK(logits.sizes() == c10::IntArrayRef({labels.size(0), 2}));
          return logits.argmax(1);
        })[1] < plain[1]);
  rt::DirectionalDisturbLabel directional(options);
  CHECK(loss_with(directional) ==
        loss_with([copy = rt::DirectionalDisturbLabel(options)](
                      const torch::Tensor& labels, const torch::Tensor& logits) mutable {
          return copy(labels, logits);
        }));
}

TEST_CASE("validate_with changes the validation loss and nothing else", "[training]") {
  Setup plain;
  const auto wanted = plain.trainer(3).fit(plain.train, plain.validation);
  Setup setup;
  auto trainer = setup.trainer(3);
  trainer.validate_with([](const torch::Tensor& logits, const torch::Tensor& labels) {
    return 2 * torch::nn::functional::cross_entropy(logits, labels) + 1;
  });
  const auto history = trainer.fit(setup.train, setup.validation);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    CHECK(history.metric("train_loss")[epoch] == wanted.metric("train_loss")[epoch]);
    CHECK(history.metric("val_accuracy")[epoch] == wanted.metric("val_accuracy")[epoch]);
    CHECK(history.metric("val_loss")[epoch] ==
          Approx(2 * wanted.metric("val_loss")[epoch] + 1).epsilon(1e-6));
  }
}

TEST_CASE("soft labels train, and count as their likeliest class", "[training]") {
  Setup hard;
  const auto wanted = hard.trainer(3).fit(hard.train);
  Setup setup;
  for (auto& batch : setup.train) {
    batch.labels = torch::one_hot(batch.labels, 2).to(torch::kFloat);
  }
  const auto history = setup.trainer(3).fit(setup.train);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    CHECK(history.metric("train_loss")[epoch] ==
          Approx(wanted.metric("train_loss")[epoch]).epsilon(1e-4));
    CHECK(history.metric("train_accuracy")[epoch] == wanted.metric("train_accuracy")[epoch]);
  }
}

TEST_CASE("the model ends in the mode it was in, also when something throws", "[training]") {
  Setup setup;
  setup.model->eval();
  setup.model[3]->train();
  struct Thrower {
    void on_batch_end(rt::TrainingState& state) {
      CHECK(state.model.is_training());
      if (state.step == 3) {
        throw std::runtime_error("in the middle");
      }
    }
  };
  CHECK(error_of([&] { setup.trainer(1).fit(setup.train, setup.validation, Thrower()); }) ==
        "in the middle");
  CHECK_FALSE(setup.model->is_training());
  CHECK(setup.model[3]->is_training());
  setup.trainer(1).fit(setup.train, setup.validation);
  CHECK_FALSE(setup.model->is_training());
}

TEST_CASE("a loss that is not finite ends the fit before it spoils the weights", "[training]") {
  Setup setup;
  setup.train[2].images = setup.train[2].images * std::nan("");
  Setup twin;
  twin.train.resize(2);
  twin.trainer(1).fit(twin.train);
  const auto message = error_of([&] { setup.trainer(2).fit(setup.train); });
  CHECK(contains(message, "wanted a finite training loss, got nan in epoch 1 after 2 steps"));
  Setup again;
  again.train[0].images = setup.train[2].images;
  CHECK_THROWS_AS(again.trainer(1).fit(again.train), rt::NonFiniteLoss);
  for (const auto& parameter : setup.model->parameters()) {
    CHECK(parameter.isfinite().all().item<bool>());
  }
}

TEST_CASE("an exception leaves the history so far", "[training]") {
  Setup setup;
  struct Thrower {
    void on_epoch_begin(rt::TrainingState& state) {
      CHECK_FALSE(state.metrics.contains("val_loss"));  // not the last epoch's
      TORCH_CHECK(state.epoch < 3, "third epoch");
    }
    void on_epoch_end(rt::TrainingState& state) { state.metrics.set("mine", 7); }
  };
  auto trainer = setup.trainer(5);
  CHECK(
      contains(error_of([&] { trainer.fit(setup.train, setup.validation, Thrower()); }), "third"));
  CHECK(trainer.history().epochs.size() == 2);
  CHECK(trainer.history().metric("mine") == std::vector<double>{7, 7});
}

TEST_CASE("bad labels, no batches and negative epochs are errors", "[training]") {
  Setup setup;
  setup.train[0].labels = setup.train[0].labels + 2;
  CHECK(contains(error_of([&] { setup.trainer(1).fit(setup.train); }), "is out of bounds"));
  std::vector<ToyBatch> none;
  CHECK(contains(error_of([&] { setup.trainer(1).fit(none); }), "wanted at least one batch"));
  CHECK(contains(error_of([&] { setup.trainer(-1); }), "at least 0 epochs, got -1"));
  CHECK(setup.trainer(0).fit(none).epochs.empty());
  CHECK(contains(error_of([&] {
                   rt::Trainer(setup.model, setup.optimizer, setup.criterion,
                               rt::TrainerOptions().autocast(torch::kHalf));
                 }),
                 "wanted autocast to BFloat16, got Half"));
  const auto error_with = [&](const rt::TrainerOptions& options) {
    return error_of([&] { rt::Trainer(setup.model, setup.optimizer, setup.criterion, options); });
  };
  CHECK(contains(error_with(rt::TrainerOptions().accumulate_grad_batches(0)),
                 "accumulate_grad_batches of at least 1, got 0"));
  CHECK(contains(error_with(rt::TrainerOptions().clip_grad_norm(0)), "above 0, got 0"));
  CHECK(contains(error_with(rt::TrainerOptions().clip_grad_value(-1)), "above 0, got -1"));
  CHECK(
      contains(error_with(rt::TrainerOptions().clip_grad_value(1).clip_grad_norm(1)), "got both"));
}

TEST_CASE("EarlyStopping in a fit stops it and restores the best epoch bit for bit", "[training]") {
  Setup setup;
  // Wrong validation labels: the better the fit, the worse the validation loss.
  for (auto& batch : setup.validation) {
    batch.labels = 1 - batch.labels;
  }
  struct SeesLastWeights {
    torch::nn::Sequential model;
    torch::Tensor& seen;
    void on_fit_end(rt::TrainingState&) { seen = model->parameters()[0].clone(); }
  };
  torch::Tensor seen;
  rt::EarlyStopping stopper(rt::EarlyStoppingOptions().patience(4).restore_best_weights(true));
  const auto history = setup.trainer(50).fit(setup.train, setup.validation, stopper,
                                             SeesLastWeights{setup.model, seen});
  REQUIRE(history.epochs.size() < 50);
  CHECK(stopper.reason() == rt::StopReason::kPatience);
  CHECK(static_cast<std::int64_t>(history.epochs.size()) == stopper.best_epoch() + 4);

  // Evaluation gives the best epoch's numbers, buffers of batch norm included.
  const auto best = rt::evaluate(setup.model, setup.validation, setup.criterion);
  const auto index = static_cast<std::size_t>(stopper.best_epoch() - 1);
  CHECK(best.loss == stopper.best());
  CHECK(best.loss == history.metric("val_loss")[index]);
  CHECK(best.accuracy == history.metric("val_accuracy")[index]);

  // Other callbacks saw the last weights, though they come after the stopper in the list.
  CHECK_FALSE(seen.equal(setup.model->parameters()[0]));
  stopper.restore_last(*setup.model);
  CHECK(seen.equal(setup.model->parameters()[0]));
  CHECK(rt::evaluate(setup.model, setup.validation, setup.criterion).loss ==
        history.metric("val_loss").back());

  // A second fit begins anew.
  const auto again = setup.trainer(2).fit(setup.train, setup.validation, stopper);
  CHECK(again.epochs.size() == 2);
  CHECK(stopper.best_epoch() <= 2);
}

}  // namespace trainer_test
