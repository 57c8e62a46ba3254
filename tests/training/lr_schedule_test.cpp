#include "regtorch/training/lr_schedule.hpp"

#include "catch.hpp"
#include "regtorch/models/state_dict.hpp"
#include "schedules.hpp"
#include "temporary_folder.hpp"

namespace lr_schedule_test {

using regtorch::testing::check_run;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::go_to;
using regtorch::testing::optimizer_of;
using regtorch::testing::rates_of;
using Rates = std::vector<double>;

namespace {

double halve(std::int64_t step, double initial) {
  return initial / std::exp2(static_cast<double>(step));
}

double momentum_at(std::int64_t step) { return 0.5 + 0.01 * static_cast<double>(step); }

/// The momenta of two groups, from step to step.
template <class Optimizer, class Options, class Read>
void check_momentum(Read read) {
  auto optimizer = optimizer_of<Optimizer, Options>({0.1, 0.2});
  rt::LRSchedule schedule(optimizer, halve, momentum_at);
  for (std::int64_t step = 0; step < 3; ++step) {
    for (auto& group : optimizer.param_groups()) {
      CHECK(read(static_cast<Options&>(group.options())) == momentum_at(step));
    }
    schedule.step();
  }
  go_to(schedule, 7, {0.1, 0.2});
  CHECK(read(static_cast<Options&>(optimizer.param_groups()[1].options())) == momentum_at(7));
}

}  // namespace

TEST_CASE("a schedule sets step 0 when built, and step k after k calls", "[training]") {
  auto optimizer = optimizer_of({0.4, 0.1, 0.3});
  const auto rise = [](std::int64_t step, double initial) {
    return initial * static_cast<double>(step + 2);
  };
  rt::LRSchedule schedule(optimizer, rise);
  check_run(schedule, optimizer, 5, {0.4, 0.1, 0.3}, rise);
  torch::optim::LRScheduler& any = schedule;
  any.step();
  CHECK(schedule.last_step() == 6);
  CHECK(rates_of(optimizer)[1] == 0.1 * 8);
}

TEST_CASE("a schedule goes by the first rates, whatever the groups' are now", "[training]") {
  auto optimizer = optimizer_of({1.0});
  rt::LRSchedule schedule(optimizer, halve);
  optimizer.param_groups()[0].options().set_lr(123);
  schedule.step();
  CHECK(rates_of(optimizer) == Rates{0.5});
}

TEST_CASE("a schedule goes on from a state as the first one", "[training]") {
  auto first_optimizer = optimizer_of({1.0, 3.0});
  rt::LRSchedule first(first_optimizer, halve);
  for (int i = 0; i < 4; ++i) {
    first.step();
  }
  const regtorch::testing::TemporaryFolder folder;
  rt::save_state_dict(first.state_dict(), folder.path / "schedule.pt");

  // Built after the optimizer has the rates of step 4, the worst order.
  auto optimizer = optimizer_of(rates_of(first_optimizer));
  rt::LRSchedule schedule(optimizer, halve);
  schedule.load_state_dict(rt::load_state_dict(folder.path / "schedule.pt"));
  CHECK(schedule.last_step() == 4);
  for (int i = 0; i < 3; ++i) {
    CHECK(rates_of(optimizer) == rates_of(first_optimizer));
    schedule.step();
    first.step();
  }
  CHECK(schedule.last_step() == 7);
  const rt::TensorDict state = schedule.state_dict();
  CHECK(state["last_step"].item<std::int64_t>() == 7);
  CHECK(state["initial_rates"].equal(torch::tensor({1.0, 3.0}, torch::kDouble)));

  go_to(schedule, 0, {2.0, 4.0});
  CHECK(rates_of(optimizer) == Rates{2.0, 4.0});
  go_to(schedule, 4294967295, {2.0, 4.0});
  CHECK(schedule.last_step() == 4294967295);
  CHECK(rates_of(optimizer) == Rates{0.0, 0.0});
}

TEST_CASE("a schedule takes a strided state", "[training]") {
  auto optimizer = optimizer_of({1.0, 3.0});
  rt::LRSchedule schedule(optimizer, halve);
  rt::TensorDict state;
  state.insert("initial_rates",
               torch::tensor({{8.0, 0.0}, {16.0, 0.0}}, torch::kDouble).select(1, 0));
  state.insert("last_step", torch::tensor({std::int64_t{2}}));
  schedule.load_state_dict(state);
  CHECK(rates_of(optimizer) == Rates{2.0, 4.0});
}

TEST_CASE("a step or a state that is an error leaves all as it was", "[training]") {
  auto optimizer = optimizer_of({1.0, 3.0});
  rt::LRSchedule schedule(
      optimizer,
      [](std::int64_t step, double initial) {
        TORCH_CHECK(step < 5 || initial < 2, "too late");
        return halve(step, initial);
      },
      momentum_at);
  schedule.step();

  const auto check_at = [&](std::int64_t step) {
    CHECK(schedule.last_step() == step);
    CHECK(schedule.state_dict()["initial_rates"].equal(torch::tensor({1.0, 3.0}, torch::kDouble)));
    CHECK(rates_of(optimizer) == Rates{halve(step, 1), halve(step, 3)});
    for (auto& group : optimizer.param_groups()) {
      auto& options = static_cast<torch::optim::SGDOptions&>(group.options());
      CHECK(options.momentum() == momentum_at(step));
    }
  };
  const auto message = [&](std::int64_t step, const Rates& rates) {
    const auto text = error_of([&] { go_to(schedule, step, rates); });
    check_at(1);
    return text;
  };
  CHECK(contains(message(-1, {1, 5}), "wanted a last_step in 0 to 4294967295, got -1"));
  CHECK(contains(message(4294967296, {1, 5}), "got 4294967296"));
  CHECK(contains(message(2, {1}),
                 "wanted an initial rate for each of the optimizer's 2 parameter groups, got 1"));
  CHECK(contains(message(2, {1, NAN}), "wanted a finite learning rate"));
  CHECK(contains(message(5, {1, 5}), "too late"));
  CHECK_THROWS_AS(go_to(schedule, -1, {1, 5}), c10::ValueError);
  CHECK_THROWS_AS(go_to(schedule, 2, {1}), c10::ValueError);

  for (int i = 0; i < 3; ++i) {
    schedule.step();
  }
  CHECK(contains(error_of([&] { schedule.step(); }), "too late"));
  check_at(4);
}

TEST_CASE("a schedule wants the state of a schedule", "[training]") {
  auto optimizer = optimizer_of({1.0});
  rt::LRSchedule schedule(optimizer, halve);
  const auto message = [&](const std::vector<std::pair<std::string, torch::Tensor>>& entries) {
    rt::TensorDict state;
    for (const auto& [name, tensor] : entries) {
      state.insert(name, tensor);
    }
    CHECK_THROWS_AS(schedule.load_state_dict(state), c10::Error);
    return error_of([&] { schedule.load_state_dict(state); });
  };
  const auto step = torch::tensor({std::int64_t{3}});
  const auto rates = torch::tensor({2.0}, torch::kDouble);
  CHECK(contains(message({}), "got no entry last_step"));
  CHECK(contains(message({{"last_step", step}}), "got no entry initial_rates"));
  CHECK(contains(message({{"initial_rates", rates}, {"step", step}}), "got no entry last_step"));
  CHECK(
      contains(message({{"last_step", step}, {"initial_rates", rates}, {"more", step}}),
               "wanted the entries last_step and initial_rates, got last_step initial_rates more"));
  const auto wrong_step = [&](const torch::Tensor& tensor) {
    return message({{"last_step", tensor}, {"initial_rates", rates}});
  };
  const std::string wanted_step = "wanted Long [1] as the entry last_step, got ";
  CHECK(contains(wrong_step(step.to(torch::kInt)), wanted_step + "Int [1] on cpu"));
  CHECK(contains(wrong_step(step[0]), wanted_step + "Long [] on cpu"));
  CHECK(contains(wrong_step(torch::Tensor()), wanted_step));
  const auto wrong_rates = [&](const torch::Tensor& tensor) {
    return message({{"last_step", step}, {"initial_rates", tensor}});
  };
  const std::string wanted_rates = "wanted Double [n] as the entry initial_rates, got ";
  CHECK(contains(wrong_rates(rates.to(torch::kFloat)), wanted_rates + "Float [1] on cpu"));
  CHECK(contains(wrong_rates(rates.view({1, 1})), wanted_rates + "Double [1, 1] on cpu"));
  CHECK(schedule.last_step() == 0);
  CHECK(rates_of(optimizer) == Rates{1.0});
}

TEST_CASE("a schedule wants finite rates", "[training]") {
  auto optimizer = optimizer_of({1.0, 2.0});
  const auto bad = [](std::int64_t step, double initial) {
    return initial > 1 ? initial / static_cast<double>(step - 2) : initial;
  };
  rt::LRSchedule schedule(optimizer, bad);
  schedule.step();
  CHECK(contains(error_of([&] { schedule.step(); }),
                 "wanted a finite learning rate for step 2 and the initial rate 2, got inf"));
  CHECK_THROWS_AS(schedule.step(), c10::ValueError);
  CHECK(schedule.last_step() == 1);
  CHECK(rates_of(optimizer) == Rates{1.0, -2.0});

  const auto nan = [](std::int64_t, double) { return std::nan(""); };
  CHECK_THROWS_AS(rt::LRSchedule(optimizer, nan), c10::ValueError);
  CHECK(rates_of(optimizer) == Rates{1.0, -2.0});
}

TEST_CASE("a group added later is an error", "[training]") {
  auto optimizer = optimizer_of({1.0});
  rt::LRSchedule schedule(optimizer, halve);
  optimizer.add_param_group({{torch::zeros({1}, torch::requires_grad())}});
  CHECK(contains(error_of([&] { schedule.step(); }),
                 "wanted an initial rate for each of the optimizer's 2 parameter groups, got 1"));
  CHECK(schedule.last_step() == 0);
  CHECK(rates_of(optimizer)[0] == 1.0);
}

TEST_CASE("a schedule sets the momentum of SGD and RMSprop, beta1 of Adam and AdamW",
          "[training]") {
  using namespace torch::optim;
  check_momentum<SGD, SGDOptions>([](SGDOptions& options) { return options.momentum(); });
  check_momentum<RMSprop, RMSpropOptions>(
      [](RMSpropOptions& options) { return options.momentum(); });
  const auto beta1 = [](auto& options) {
    CHECK(std::get<1>(options.betas()) == 0.999);
    return std::get<0>(options.betas());
  };
  check_momentum<Adam, AdamOptions>(beta1);
  check_momentum<AdamW, AdamWOptions>(beta1);

  auto optimizer = optimizer_of<Adagrad, AdagradOptions>({0.1});
  const auto half = [](std::int64_t, double initial) { return initial / 2; };
  CHECK_THROWS_AS(rt::LRSchedule(optimizer, half, momentum_at), c10::ValueError);
  const auto message = error_of([&] { rt::LRSchedule(optimizer, half, momentum_at); });
  CHECK(contains(message, "SGD, RMSprop, Adam or AdamW"));
  CHECK(contains(message, "torch::optim::AdagradOptions"));
  CHECK(rates_of(optimizer) == Rates{0.1});
  rt::LRSchedule without(optimizer, half);
  CHECK(rates_of(optimizer) == Rates{0.05});
}

TEST_CASE("without a momentum function the momentum is left alone", "[training]") {
  auto optimizer = optimizer_of({0.1});
  auto& options = static_cast<torch::optim::SGDOptions&>(optimizer.param_groups()[0].options());
  options.momentum(0.77);
  rt::LRSchedule schedule(optimizer, halve);
  schedule.step();
  CHECK(options.momentum() == 0.77);
}

}  // namespace lr_schedule_test
