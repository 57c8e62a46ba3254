#include "regtorch/stopping/early_stopping.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "regtorch/core/metrics.hpp"
#include "regtorch/models/state_dict.hpp"
#include "temporary_folder.hpp"

namespace early_stopping_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::TemporaryFolder;
using rt::EarlyStopping;
using rt::EarlyStoppingOptions;
using rt::MonitorMode;
using rt::StopReason;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

/// Steps through the values until one stops; the number of steps taken, or 0 if none stopped.
int stops_at(EarlyStopping& stopper, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (stopper.step(values[i])) {
      return static_cast<int>(i) + 1;
    }
  }
  return 0;
}

int stops_at(const EarlyStoppingOptions& options, const std::vector<double>& values) {
  EarlyStopping stopper(options);
  return stops_at(stopper, values);
}

/// A model whose one weight says which epoch it is from; its buffer too.
struct Numbered : torch::nn::Module {
  Numbered() {
    weight = register_parameter("weight", torch::zeros({2, 3}));
    buffer = register_buffer("buffer", torch::zeros({}, torch::kLong));
  }
  void set(int number) {
    const torch::NoGradGuard no_grad;
    weight.fill_(number);
    buffer.fill_(number);
  }
  bool is(int number) const {
    return weight.eq(number).all().item<bool>() && buffer.item<int>() == number;
  }
  torch::Tensor weight;
  torch::Tensor buffer;
};

}  // namespace

TEST_CASE("patience counts the checks in a row that did not beat the best", "[stopping]") {
  const std::vector<double> values{5, 4, 4, 4.5, 3, 3, 3, 3, 2};
  CHECK(stops_at(EarlyStoppingOptions(), values) == 8);  // the default patience is 3
  CHECK(stops_at(EarlyStoppingOptions().patience(0), values) == 3);
  CHECK(stops_at(EarlyStoppingOptions().patience(1), values) == 3);
  CHECK(stops_at(EarlyStoppingOptions().patience(2), values) == 4);
  CHECK(stops_at(EarlyStoppingOptions().patience(4), values) == 0);
  CHECK(stops_at(EarlyStoppingOptions().patience(std::nullopt), std::vector<double>(99, 1)) == 0);
}

TEST_CASE("the best value, its epoch and the reason are told", "[stopping]") {
  EarlyStopping stopper(EarlyStoppingOptions().patience(2));
  CHECK(stopper.best() == kInfinity);
  CHECK(stopper.best_epoch() == 0);
  CHECK(stopper.reason() == StopReason::kNone);
  CHECK(stops_at(stopper, {5, 3, 4, 3}) == 4);
  CHECK(stopper.best() == 3);
  CHECK(stopper.best_epoch() == 2);  // equal is not better
  CHECK(stopper.reason() == StopReason::kPatience);
  stopper.reset();
  CHECK(stopper.best_epoch() == 0);
  CHECK(stopper.reason() == StopReason::kNone);
  CHECK(stops_at(stopper, {9, 9, 9}) == 3);
}

TEST_CASE("mode max looks for more", "[stopping]") {
  EarlyStopping stopper(EarlyStoppingOptions().mode(MonitorMode::kMax).patience(2));
  CHECK(stopper.best() == -kInfinity);
  CHECK(stops_at(stopper, {0.1, 0.3, 0.3, 0.2}) == 4);
  CHECK(stopper.best() == 0.3);
  CHECK(stopper.best_epoch() == 2);
}

TEST_CASE("an improvement is more than min_delta, in both modes", "[stopping]") {
  auto options = EarlyStoppingOptions().patience(1).min_delta(0.5);
  CHECK(stops_at(options, {4, 3.5}) == 2);
  CHECK(stops_at(options, {4, 3.25}) == 0);
  CHECK(stops_at(options.mode(MonitorMode::kMax), {4, 4.5}) == 2);
  CHECK(stops_at(options, {4, 4.75}) == 0);
}

TEST_CASE("non-finite values stop, or count as no improvement", "[stopping]") {
  for (const double value : {kNaN, kInfinity, -kInfinity}) {
    EarlyStopping stopper{EarlyStoppingOptions()};
    CHECK(stops_at(stopper, {1, value}) == 2);
    CHECK(stopper.reason() == StopReason::kNonFinite);
    CHECK(stopper.best() == 1);
  }
  const auto options = EarlyStoppingOptions().check_finite(false).patience(2);
  CHECK(stops_at(options, {1, kNaN, kNaN}) == 3);
  CHECK(stops_at(options, {kNaN, 1, kInfinity, 0.5, kNaN}) == 0);
  CHECK(stops_at(options, {1, -kInfinity, 0.5, 0.25}) == 0);
  EarlyStopping threshold(EarlyStoppingOptions(options).stopping_threshold(0));
  CHECK_FALSE(threshold.step(-kInfinity));
}

TEST_CASE("thresholds stop at once", "[stopping]") {
  const auto reaching = EarlyStoppingOptions().stopping_threshold(0.5);
  EarlyStopping reached(reaching);
  CHECK(stops_at(reached, {1, 0.6, 0.5}) == 3);
  CHECK(reached.reason() == StopReason::kStoppingThreshold);
  CHECK(reached.best() == 0.5);  // the value that reaches it counts for the best
  EarlyStopping diverged(EarlyStoppingOptions().divergence_threshold(10));
  CHECK(stops_at(diverged, {1, 10, 10.5}) == 3);
  CHECK(diverged.reason() == StopReason::kDivergenceThreshold);
  const auto accuracy = EarlyStoppingOptions().mode(MonitorMode::kMax);
  CHECK(stops_at(EarlyStoppingOptions(accuracy).stopping_threshold(0.9), {0.5, 0.95}) == 2);
  CHECK(stops_at(EarlyStoppingOptions(accuracy).divergence_threshold(0.1), {0.5, 0.05}) == 2);
}

TEST_CASE("checks ask in the documented order", "[stopping]") {
  // A value that diverges is never the best, though the first one always would be.
  EarlyStopping diverged(EarlyStoppingOptions().divergence_threshold(10).stopping_threshold(20));
  CHECK(diverged.step(15));
  CHECK(diverged.reason() == StopReason::kDivergenceThreshold);
  CHECK(diverged.best_epoch() == 0);
  // Both the stopping threshold and the patience at their end: the threshold is the reason.
  EarlyStopping both(EarlyStoppingOptions().patience(1).stopping_threshold(3));
  CHECK_FALSE(both.step(4));
  CHECK(both.step(2));
  CHECK(both.reason() == StopReason::kStoppingThreshold);
}

TEST_CASE("with a baseline only beating it restarts the count", "[stopping]") {
  const auto options = EarlyStoppingOptions().patience(3).baseline(2);
  EarlyStopping stopper(options);
  CHECK(stops_at(stopper, {5, 4, 3}) == 3);  // improving, but never below the baseline
  CHECK(stopper.best() == 3);
  CHECK(stops_at(options, {5, 4, 1.5, 1.6, 1.6}) == 0);
  CHECK(stops_at(options, {5, 4, 1.5, 1.6, 1.6, 1.6}) == 6);
}

TEST_CASE("epochs before start_from_epoch count for nothing", "[stopping]") {
  EarlyStopping stopper(
      EarlyStoppingOptions().start_from_epoch(3).patience(2).stopping_threshold(-5));
  CHECK(stops_at(stopper, {kNaN, -9, 1, 4, 5, 4.5}) == 6);
  CHECK(stopper.best() == 4);
  CHECK(stopper.best_epoch() == 4);
}

TEST_CASE("the best weights come back when a bare step stops", "[stopping]") {
  Numbered model;
  EarlyStopping stopper(EarlyStoppingOptions().patience(2).restore_best_weights(true));
  const std::vector<double> losses{5, 3, 4, 4};
  for (int epoch = 1; epoch <= 4; ++epoch) {
    model.set(epoch);
    CHECK(stopper.step(losses[static_cast<std::size_t>(epoch - 1)], model) == (epoch == 4));
  }
  CHECK(model.is(2));
  stopper.restore_last(model);
  CHECK(model.is(4));
  stopper.restore(model);
  stopper.restore(model);  // twice, and the last weights are still the last ones
  CHECK(model.is(2));
  stopper.restore_last(model);
  CHECK(model.is(4));
  torch::nn::Linear other(1, 1);
  CHECK(contains(error_of([&] { stopper.restore(*other); }), "wanted the module"));
  model.set(0);
  stopper.restore_last(model);
  CHECK(model.is(4));
}

TEST_CASE("a copy of a stopper keeps its own weights", "[stopping]") {
  Numbered model;
  EarlyStopping stopper(EarlyStoppingOptions().restore_best_weights(true));
  model.set(1);
  stopper.step(5, model);
  EarlyStopping copy = stopper;
  model.set(2);
  stopper.step(4, model);
  copy.restore(model);
  CHECK(model.is(1));
  stopper.restore(model);
  CHECK(model.is(2));
}

TEST_CASE("the best weights can be had though nothing stopped", "[stopping]") {
  Numbered model;
  EarlyStopping stopper(EarlyStoppingOptions().restore_best_weights(true));
  CHECK(contains(error_of([&] { stopper.restore(model); }), "no epoch was the best yet"));
  CHECK(contains(error_of([&] { stopper.restore_last(model); }), "nothing was restored yet"));
  model.set(1);
  stopper.step(1, model);
  model.set(2);
  stopper.step(2, model);
  CHECK(model.is(2));
  stopper.restore(model);
  CHECK(model.is(1));
}

TEST_CASE("a first value that stops restores nothing", "[stopping]") {
  Numbered model;
  model.set(7);
  EarlyStopping stopper(EarlyStoppingOptions().restore_best_weights(true));
  CHECK(stopper.step(kNaN, model));
  CHECK(model.is(7));
}

TEST_CASE("weights that were not kept cannot be restored", "[stopping]") {
  Numbered model;
  EarlyStopping keeps_none{EarlyStoppingOptions()};
  keeps_none.step(1, model);
  CHECK(
      contains(error_of([&] { keeps_none.restore(model); }), "wanted restore_best_weights(true)"));
  EarlyStopping keeps(EarlyStoppingOptions().restore_best_weights(true));
  CHECK(contains(error_of([&] { keeps.step(1); }), "wanted step(value, model)"));
}

TEST_CASE("a stopper's state comes back from a file", "[stopping]") {
  const TemporaryFolder folder;
  const auto options = EarlyStoppingOptions().patience(3).restore_best_weights(true);
  const std::vector<double> losses{5, 3, 4, 4, 4, 1};
  Numbered model;
  EarlyStopping whole(options);
  std::vector<bool> stops;
  for (std::size_t i = 0; i < 5; ++i) {
    model.set(static_cast<int>(i) + 1);
    stops.push_back(whole.step(losses[i], model));
  }
  CHECK(stops == std::vector<bool>{false, false, false, false, true});
  // The same checks by several stoppers, each from the file of the one before.
  EarlyStopping part(options);
  for (std::size_t i = 0; i < 5; ++i) {
    model.set(static_cast<int>(i) + 1);
    CHECK(part.step(losses[i], model) == stops[i]);
    rt::save_state_dict(part.state_dict(), folder.path / "stopper.pt");
    part = EarlyStopping(options);
    part.load_state_dict(rt::load_state_dict(folder.path / "stopper.pt"));
  }
  CHECK(part.best() == 3);
  CHECK(part.best_epoch() == 2);
  CHECK(part.reason() == StopReason::kPatience);
  part.restore_last(model);
  CHECK(model.is(5));
  part.restore(model);
  CHECK(model.is(2));
  // A state is a copy, on which later checks have no influence.
  const auto state = part.state_dict();
  model.set(6);
  part.step(1, model);
  EarlyStopping back(options);
  back.load_state_dict(state);
  CHECK(back.best() == 3);
  back.restore(model);
  CHECK(model.is(2));
}

TEST_CASE("a stopper without checks or weights has a state too", "[stopping]") {
  EarlyStopping stopper(EarlyStoppingOptions().mode(rt::MonitorMode::kMax));
  EarlyStopping other(EarlyStoppingOptions().mode(rt::MonitorMode::kMax).patience(1));
  other.load_state_dict(stopper.state_dict());
  CHECK(other.best() == -INFINITY);
  CHECK(other.best_epoch() == 0);
  CHECK_FALSE(other.step(1));
  CHECK(other.step(1));
}

TEST_CASE("a loaded state is kept by the next fit alone", "[stopping]") {
  struct State {
    rt::Metrics metrics;
    Numbered& model;
    std::int64_t epoch = 1;
  };
  Numbered model;
  State state{{}, model};
  state.metrics.set("val_loss", 7);
  EarlyStopping stopper;
  stopper.step(3);
  EarlyStopping loaded;
  loaded.load_state_dict(stopper.state_dict());
  loaded.on_fit_begin(state);
  loaded.on_epoch_end(state);
  CHECK(loaded.best() == 3);
  loaded.on_fit_begin(state);
  loaded.on_epoch_end(state);
  CHECK(loaded.best() == 7);
}

TEST_CASE("a wrong state changes nothing and names the entry", "[stopping]") {
  EarlyStopping stopper;
  stopper.step(3);
  const auto good = stopper.state_dict();
  const auto error_with = [&](const std::string& name, const torch::Tensor& value) {
    rt::TensorDict bad;
    for (const auto& entry : good) {
      if (entry.key() != name || value.defined()) {
        bad.insert(entry.key(), entry.key() == name ? value : entry.value());
      }
    }
    if (!good.contains(name)) {
      bad.insert(name, value);
    }
    return error_of([&] { stopper.load_state_dict(bad); });
  };
  CHECK(contains(error_with("best", {}), "got no entry best"));
  CHECK(contains(error_with("best", torch::tensor(1)), "wanted Double [1] as the entry best"));
  CHECK(contains(error_with("checks", torch::tensor({1, 2})), "wanted Long [5]"));
  CHECK(contains(error_with("checks", torch::tensor({1, 1, 1, 9, 0})), "wanted counts of checks"));
  CHECK(contains(error_with("checks", torch::tensor({1, 1, -1, 0, 0})), "wanted counts of checks"));
  // One more check would be undefined behaviour.
  const auto most = std::numeric_limits<std::int64_t>::max();
  for (const auto& counts : {std::vector<std::int64_t>{1, most, 1, 0, 0}, {1, 1, most, 0, 0}}) {
    CHECK(contains(error_with("checks", torch::tensor(counts)), "wanted counts of checks"));
  }
  CHECK(contains(error_with("other", torch::tensor(1)), "got an entry other"));
  CHECK(stopper.best() == 3);
  EarlyStopping keeps(EarlyStoppingOptions().restore_best_weights(true));
  CHECK(contains(error_of([&] { keeps.load_state_dict(good); }), "wanted best weights"));
  CHECK(keeps.best_epoch() == 0);
}

TEST_CASE("options out of range are refused", "[stopping]") {
  const auto error = [](const EarlyStoppingOptions& options) {
    return error_of([&] { EarlyStopping stopper(options); });
  };
  CHECK(contains(error(EarlyStoppingOptions().patience(-1)), "patience of at least 0, got -1"));
  CHECK(contains(error(EarlyStoppingOptions().min_delta(-1)), "min_delta of at least 0, got -1"));
  CHECK(
      contains(error(EarlyStoppingOptions().min_delta(kNaN)), "min_delta of at least 0, got nan"));
  CHECK(contains(error(EarlyStoppingOptions().start_from_epoch(-2)), "at least 0, got -2"));
}

TEST_CASE("every reason has a name", "[stopping]") {
  CHECK(std::string(to_string(StopReason::kNone)) == "none");
  CHECK(std::string(to_string(StopReason::kNonFinite)) == "non-finite value");
  CHECK(std::string(to_string(StopReason::kDivergenceThreshold)) == "divergence threshold");
  CHECK(std::string(to_string(StopReason::kStoppingThreshold)) == "stopping threshold");
  CHECK(std::string(to_string(StopReason::kPatience)) == "patience");
}

}  // namespace early_stopping_test
