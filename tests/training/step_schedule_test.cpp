#include "regtorch/training/step_schedule.hpp"

#include "catch.hpp"
#include "regtorch/training/callback.hpp"
#include "regtorch/training/linear_lr.hpp"
#include "regtorch/training/one_cycle_lr.hpp"
#include "regtorch/training/trainer.hpp"
#include "schedules.hpp"
#include "toy.hpp"

namespace step_schedule_test {

using regtorch::testing::optimizer_of;
using regtorch::testing::rates_of;
using regtorch::testing::toy_batches;
using regtorch::testing::toy_model;

namespace {

/// The learning rate that each optimizer step was taken with.
struct RecordRates {
  std::vector<double> rates;
  void on_batch_end(rt::TrainingState& state) { rates.push_back(state.metrics.at("lr")); }
};

}  // namespace

TEST_CASE("ScheduleByStep steps after every optimizer step of a fit", "[training]") {
  const auto batches = toy_batches(40, 8, 0);  // 5 batches
  auto model = toy_model();
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.1));
  rt::Trainer trainer(model, optimizer, torch::nn::CrossEntropyLoss(),
                      rt::TrainerOptions().epochs(3));
  rt::OneCycleLR schedule(optimizer, rt::OneCycleLROptions(0.05, 15));
  RecordRates record;
  rt::ScheduleByStep by_step(schedule);
  trainer.fit(batches, by_step, record);
  CHECK(schedule.last_step() == 15);

  auto other_optimizer = optimizer_of({0.1});
  rt::OneCycleLR wanted(other_optimizer, rt::OneCycleLROptions(0.05, 15));
  REQUIRE(record.rates.size() == 15);
  for (const double rate : record.rates) {
    CHECK(rate == rates_of(other_optimizer)[0]);
    wanted.step();
  }

  // A second fit with the same callback counts its steps from 0 again.
  rt::LinearLR another(optimizer, rt::LinearLROptions().total_iters(50));
  rt::ScheduleByStep again(another);
  trainer.fit(batches, again);
  CHECK(another.last_step() == 15);
  trainer.fit(batches, again);
  CHECK(another.last_step() == 30);
}

TEST_CASE("ScheduleByEpoch steps after every epoch of a fit", "[training]") {
  const auto batches = toy_batches(40, 8, 0);
  auto model = toy_model();
  torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(0.1));
  rt::Trainer trainer(model, optimizer, torch::nn::CrossEntropyLoss(),
                      rt::TrainerOptions().epochs(4));
  rt::LinearLR schedule(optimizer,
                        rt::LinearLROptions().start_factor(1).end_factor(0.5).total_iters(2));
  RecordRates record;
  const rt::History history = trainer.fit(batches, batches, rt::ScheduleByEpoch(schedule), record);
  CHECK(schedule.last_step() == 4);
  const std::vector<double> wanted{0.1, 0.075, 0.05, 0.05};
  REQUIRE(record.rates.size() == 20);
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(record.rates[i] == Approx(wanted[i / 5]).epsilon(1e-13));
  }
  REQUIRE(history.epochs.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(history.epochs[i].metrics.at("lr") == Approx(wanted[i]).epsilon(1e-13));
  }
}

TEST_CASE("ScheduleByStep passes over batches without an optimizer step", "[training]") {
  auto model = toy_model();
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.1));
  rt::LinearLR schedule(optimizer, rt::LinearLROptions().start_factor(0.5).total_iters(10));
  RecordRates record;
  rt::Trainer trainer(model, optimizer, torch::nn::CrossEntropyLoss(),
                      rt::TrainerOptions().epochs(2).accumulate_grad_batches(2));
  trainer.fit(toy_batches(40, 8, 0), rt::ScheduleByStep(schedule), record);
  CHECK(schedule.last_step() == 6);
  // Steps are taken after batches 2, 4, 5, 7, 9, 10.
  const std::vector<double> wanted{10, 10, 11, 11, 12, 13, 13, 14, 14, 15};
  REQUIRE(record.rates.size() == 10);
  for (std::size_t i = 0; i < 10; ++i) {
    CAPTURE(i);
    CHECK(record.rates[i] == Approx(0.1 * wanted[i] / 20).epsilon(1e-13));
  }
}

TEST_CASE("the callbacks step any of LibTorch's schedules", "[training]") {
  const auto batches = toy_batches(16, 8, 0);
  auto model = toy_model();
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.5));
  rt::Trainer trainer(model, optimizer, torch::nn::CrossEntropyLoss(),
                      rt::TrainerOptions().epochs(3));
  torch::optim::StepLR step_lr(optimizer, 1, 0.1);
  trainer.fit(batches, rt::ScheduleByEpoch(step_lr));
  CHECK(rates_of(optimizer)[0] == Approx(0.5 * 0.1 * 0.1));  // it is one call late
  trainer.fit(batches, rt::ScheduleByStep(step_lr));
  CHECK(rates_of(optimizer)[0] == Approx(0.5 * 1e-8));
}

TEST_CASE("an epoch's schedule does not make the trainer look at every batch", "[training]") {
  using namespace regtorch::detail;
  rt::check_callback<rt::ScheduleByStep>();
  rt::check_callback<rt::ScheduleByEpoch>();
  CHECK_FALSE(on_batch_end_hook::has_name<rt::ScheduleByEpoch>);
}

}  // namespace step_schedule_test
