// A fit that is stopped at any batch and resumed by another program's worth of new objects ends as
// one that was never stopped, bit for bit.

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "checkpoints.hpp"
#include "regtorch/data/batches.hpp"
#include "regtorch/data/mixed_batches.hpp"
#include "regtorch/data/random_split.hpp"
#include "regtorch/data/synthetic_images.hpp"
#include "regtorch/labels/disturb_label.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"
#include "regtorch/stopping/early_stopping.hpp"
#include "regtorch/training/model_checkpoint.hpp"
#include "regtorch/training/one_cycle_lr.hpp"
#include "regtorch/training/step_schedule.hpp"
#include "regtorch/training/stop_on_interrupt.hpp"
#include "regtorch/transforms/mixup.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/weights/fused_adam.hpp"
#include "regtorch/weights/fused_sgd.hpp"

namespace resume_test {

namespace fs = std::filesystem;
using namespace regtorch::testing;

namespace {

/// Interrupts a fit after so many batches in all, as Ctrl-C does; 0: never.
struct InterruptAfter {
  std::int64_t batches;
  bool interrupted = false;
  static constexpr bool interrupts = true;
  bool on_batch_end(rt::TrainingState&) { return interrupted |= --batches == 0; }
  bool on_epoch_end(rt::TrainingState&) { return interrupted; }
};

torch::nn::Sequential small_model() {
  return torch::nn::Sequential(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 4, 3).stride(4)),
                               torch::nn::BatchNorm2d(4), torch::nn::ReLU(), torch::nn::Flatten(),
                               torch::nn::Dropout(0.3), torch::nn::Linear(4 * 8 * 8, 10));
}

/// What a fit leaves behind.
struct Outcome {
  Weights weights;
  std::vector<std::pair<std::string, double>> history;
  double rate;
  double best;
  std::int64_t best_epoch;
  std::set<std::string> files;
  double next_random;
};

void check_equal(const Outcome& a, const Outcome& b) {
  CHECK(equal(a.weights, b.weights));
  CHECK(a.history == b.history);
  CHECK(a.rate == b.rate);
  CHECK(a.best == b.best);
  CHECK(a.best_epoch == b.best_epoch);
  CHECK(a.files == b.files);
  CHECK(a.next_random == b.next_random);
}

template <class Optimizer>
Outcome outcome_of(const torch::nn::Sequential& model, const Optimizer& optimizer,
                   const rt::History& history, const rt::EarlyStopping& stopper,
                   const fs::path& folder) {
  Outcome outcome;
  outcome.weights = weights_of(*model);
  for (const auto& epoch : history.epochs) {
    for (const auto& [name, value] : epoch.metrics) {
      if (!name.ends_with("seconds")) {
        outcome.history.emplace_back(std::to_string(epoch.epoch) + " " + name, value);
      }
    }
  }
  outcome.rate = optimizer.param_groups()[0].options().get_lr();
  outcome.best = stopper.best();
  outcome.best_epoch = stopper.best_epoch();
  outcome.files = names_in(folder);
  outcome.next_random = torch::rand({1}).template item<double>();
  return outcome;
}

constexpr std::int64_t kEpochs = 3;
constexpr std::int64_t kBatches = 7;

/// One program: everything with a state of its own takes part. Nothing but the disturbed labels has
/// a seed, so all draw theirs.
/// @param seed       of the program; what was drawn by it must not matter to a resumed fit
/// @param interrupt  after so many batches of this program; 0: never
Outcome run_everything(const fs::path& folder, std::uint64_t seed, std::int64_t interrupt,
                       bool resume, std::int64_t accumulate) {
  torch::manual_seed(seed);
  const rt::data::SyntheticImages images(
      rt::data::SyntheticImagesOptions(90).num_classes(10).seed(3));
  const auto parts = rt::data::random_split(images, {56, 34}, 0);
  const rt::transforms::Normalize normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5});
  rt::data::Batches train(parts[0],
                          rt::transforms::Pipeline{rt::transforms::RandomCrop(32, 4), normalize},
                          rt::data::BatchesOptions(8).shuffle(true));
  rt::data::Batches validation(parts[1], rt::transforms::Pipeline{normalize},
                               rt::data::BatchesOptions(16));
  auto model = small_model();
  rt::FusedAdam optimizer(model->parameters(), torch::optim::AdamOptions(1e-2).weight_decay(1e-3));
  rt::OneCycleLR schedule(optimizer, rt::OneCycleLROptions(1e-2, kEpochs * kBatches));
  rt::Trainer trainer(model, optimizer,
                      rt::LabelSmoothingLoss(rt::LabelSmoothingLossOptions(10).smoothing(0.1)),
                      rt::TrainerOptions()
                          .epochs(kEpochs)
                          .accumulate_grad_batches(accumulate)
                          .checkpoint(folder / "training.pt"));
  trainer.disturb_labels(rt::DisturbLabel(rt::DisturbLabelOptions(30, 10).seed(5)));
  rt::EarlyStopping stopper(
      rt::EarlyStoppingOptions().patience(std::nullopt).restore_best_weights(true));
  rt::ModelCheckpoint checkpoint(
      rt::ModelCheckpointOptions(folder / "{epoch}-{val_loss:.3f}.pt").save_top_k(2));
  if (resume) {
    trainer.resume(folder / "training.pt");
  }
  trainer.fit(train, validation, stopper, checkpoint, rt::ScheduleByStep(schedule),
              InterruptAfter{interrupt});
  return outcome_of(model, optimizer, trainer.history(), stopper, folder);
}

/// Another: optimizer, schedule and batches of other kinds.
Outcome run_sgd(const fs::path& folder, std::uint64_t seed, std::int64_t interrupt, bool resume) {
  torch::manual_seed(seed);
  const rt::data::SyntheticImages images(
      rt::data::SyntheticImagesOptions(90).num_classes(10).seed(3));
  const auto parts = rt::data::random_split(images, {56, 34}, 0);
  const rt::transforms::Pipeline normalize{
      rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})};
  rt::data::MixedBatches train(
      rt::data::Batches(parts[0], normalize, rt::data::BatchesOptions(8).shuffle(true)),
      rt::transforms::MixUp(10, 0.4));
  std::vector<rt::data::Batch> validation;
  for (auto& batch : rt::data::Batches(parts[1], normalize, rt::data::BatchesOptions(16))) {
    validation.push_back(batch);
  }
  auto model = small_model();
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  torch::optim::StepLR schedule(optimizer, /*step_size=*/2, /*gamma=*/0.5);
  rt::Trainer trainer(model, optimizer, rt::LabelSmoothingLoss(rt::LabelSmoothingLossOptions(10)),
                      rt::TrainerOptions().epochs(kEpochs).checkpoint(folder / "training.pt"));
  trainer.validate_with(torch::nn::CrossEntropyLoss());
  rt::EarlyStopping stopper;
  if (resume) {
    trainer.resume(folder / "training.pt");
  }
  trainer.fit(train, validation, stopper, rt::ScheduleByEpoch(schedule), InterruptAfter{interrupt});
  return outcome_of(model, optimizer, trainer.history(), stopper, folder);
}

}  // namespace

TEST_CASE("a resumed fit continues bit for bit, from any batch", "[training]") {
  for (const std::int64_t accumulate : {1, 3}) {
    const TemporaryFolder whole;
    const auto expected = run_everything(whole.path, 1, 0, false, accumulate);
    CHECK(expected.history.size() == 5 * kEpochs);
    for (std::int64_t at = 1; at < kEpochs * kBatches; ++at) {
      CAPTURE(accumulate, at);
      const TemporaryFolder folder;
      run_everything(folder.path, 1, at, false, accumulate);
      // Another seed: what the new program draws before it resumes must not matter.
      check_equal(run_everything(folder.path, 2, 0, true, accumulate), expected);
    }
  }
}

TEST_CASE("a resumed fit continues with other batches, optimizers and schedules", "[training]") {
  const TemporaryFolder whole;
  const auto expected = run_sgd(whole.path, 1, 0, false);
  for (std::int64_t at = 1; at < kEpochs * kBatches; at += 3) {
    CAPTURE(at);
    const TemporaryFolder folder;
    run_sgd(folder.path, 1, at, false);
    check_equal(run_sgd(folder.path, 2, 0, true), expected);
  }
}

TEST_CASE("a fit may be interrupted again and again", "[training]") {
  const TemporaryFolder whole;
  const auto expected = run_everything(whole.path, 1, 0, false, 1);
  const TemporaryFolder folder;
  run_everything(folder.path, 1, 2, false, 1);
  for (std::uint64_t program = 2; program < 8; ++program) {
    run_everything(folder.path, program, 3, true, 1);
  }
  check_equal(run_everything(folder.path, 9, 0, true, 1), expected);
  // What is at its end has nothing to do, and ends alike.
  check_equal(run_everything(folder.path, 10, 0, true, 1), expected);
}

namespace {

/// Stops after an epoch, for good.
struct StopAfter {
  std::int64_t epoch;
  bool on_epoch_end(rt::TrainingState& state) { return state.epoch == epoch; }
};

rt::TrainerOptions with_checkpoint(const fs::path& path, std::int64_t epochs) {
  return rt::TrainerOptions().epochs(epochs).checkpoint(path);
}

}  // namespace

TEST_CASE("a training that a callback has ended stays ended, and one of more epochs goes on",
          "[training]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "training.pt";
  ToyFit fit;
  rt::Trainer ended(fit.model, fit.optimizer, fit.criterion, with_checkpoint(path, 9));
  ended.fit(fit.train, fit.validation, StopAfter{2});
  ToyFit other;
  rt::Trainer resumed(other.model, other.optimizer, other.criterion, with_checkpoint(path, 9));
  resumed.resume(path);
  CHECK(resumed.fit(other.train, other.validation, StopAfter{2}).epochs.size() == 2);
  CHECK(equal(weights_of(*other.model), weights_of(*fit.model)));
  // The next fit is a new one.
  CHECK(resumed.fit(other.train, other.validation, StopAfter{1}).epochs.size() == 1);

  rt::Trainer two(fit.model, fit.optimizer, fit.criterion, with_checkpoint(path, 2));
  two.fit(fit.train, fit.validation);
  rt::Trainer five(other.model, other.optimizer, other.criterion, with_checkpoint(path, 5));
  five.resume(path);
  const auto history = five.fit(other.train, other.validation);
  CHECK(history.epochs.size() == 5);
  CHECK(history.metric("train_loss")[1] == two.history().metric("train_loss")[1]);
}

TEST_CASE("checkpoints are written as often as asked for", "[training]") {
  /// Counts the versions of a file that there are at the ends of batches.
  struct Watch {
    fs::path path;
    std::vector<std::pair<std::int64_t, std::int64_t>>& found;
    void on_batch_end(rt::TrainingState&) { look(); }
    void on_epoch_begin(rt::TrainingState&) { look(); }
    void on_fit_end(rt::TrainingState&) { look(); }
    void look() {
      if (fs::exists(path)) {
        const auto saved = rt::load_state_dict(path);
        const auto fit = saved["fit"];
        const std::pair at(fit[1].item<std::int64_t>(), fit[3].item<std::int64_t>());
        if (found.empty() || found.back() != at) {
          found.push_back(at);
        }
      }
    }
  };
  const auto places = [](std::int64_t epochs, std::int64_t batches) {
    const TemporaryFolder folder;
    const auto path = folder.path / "new" / "training.pt";
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    ToyFit fit;
    rt::Trainer trainer(
        fit.model, fit.optimizer, fit.criterion,
        rt::TrainerOptions().epochs(3).checkpoint(
            rt::TrainingCheckpointOptions(path).every_n_epochs(epochs).every_n_batches(batches)));
    trainer.fit(fit.train, fit.validation, Watch{path, found});  // 7 batches an epoch
    CHECK(names_in(path.parent_path()) == std::set<std::string>{"training.pt"});
    return found;
  };
  using Places = std::vector<std::pair<std::int64_t, std::int64_t>>;
  CHECK(places(1, 0) == Places{{1, 7}, {2, 7}, {3, 7}});
  CHECK(places(2, 0) == Places{{2, 7}, {3, 7}});
  CHECK(places(5, 3) == Places{{1, 3}, {1, 6}, {2, 3}, {2, 6}, {3, 3}, {3, 6}, {3, 7}});
}

TEST_CASE("what cannot be resumed is an error before anything changes", "[training]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "training.pt";
  ToyFit fit;
  rt::Trainer trainer(fit.model, fit.optimizer, fit.criterion, with_checkpoint(path, 1));
  rt::EarlyStopping stopper;
  trainer.fit(fit.train, fit.validation, stopper);

  CHECK(contains(error_of([&] { trainer.resume(folder.path / "none.pt"); }), "none.pt"));
  rt::save_state_dict(*fit.model, folder.path / "model.pt");
  CHECK(contains(error_of([&] { trainer.resume(folder.path / "model.pt"); }),
                 "wanted a checkpoint of a training, got " + (folder.path / "model.pt").string()));

  const auto error_with = [&](auto& model, auto& optimizer, auto& batches, auto&&... callbacks) {
    const auto before = weights_of(*model);
    rt::Trainer other(model, optimizer, fit.criterion, rt::TrainerOptions().epochs(2));
    other.resume(path);
    const auto message = error_of([&] { other.fit(batches, fit.validation, callbacks...); });
    CHECK(equal(weights_of(*model), before));
    return message;
  };
  auto few = toy_batches(64, 32, 1);
  CHECK(contains(error_with(fit.model, fit.optimizer, few, stopper),
                 "wanted a fit of 7 batches an epoch, as in the checkpoint, got 2"));
  CHECK(contains(error_with(fit.model, fit.optimizer, fit.train),
                 "wanted 1 callbacks with a state, as in the checkpoint, got 0"));
  torch::optim::Adam two_groups({fit.model[0]->parameters(), fit.model[1]->parameters()});
  CHECK(contains(error_with(fit.model, two_groups, fit.train, stopper),
                 "wanted an optimizer with groups of 6 parameters, as in the checkpoint, got "
                 "groups of 2 2"));
  torch::nn::Sequential wider(torch::nn::Linear(4, 9), torch::nn::BatchNorm1d(9),
                              torch::nn::Linear(9, 2));
  torch::optim::Adam of_wider(wider->parameters());
  CHECK(contains(error_with(wider, of_wider, fit.train, stopper), "does not fit the model"));
}

TEST_CASE("a checkpoint that cannot be written leaves the old one whole", "[training]") {
  const TemporaryFolder folder;
  ToyFit fit;
  const auto fit_to = [&](const fs::path& path, auto&&... callbacks) {
    rt::Trainer trainer(fit.model, fit.optimizer, fit.criterion, with_checkpoint(path, 3));
    return error_of([&] { trainer.fit(fit.train, fit.validation, callbacks...); });
  };
  fs::create_directories(folder.path / "folder.pt");
  CHECK(contains(
      fit_to(folder.path / "folder.pt"),
      "Trainer: wanted a file as " + (folder.path / "folder.pt").string() + ", got a folder"));
  CHECK(contains(fit_to(folder.path / std::string(300, 'x')), "File name too long"));

  const SmallDisk disk("256k");
  if (!disk.mounted()) {
    WARN("not run further: mounting a small tmpfs takes root");
    return;
  }
  /// Does something at the beginning of epoch 3.
  struct Then {
    std::function<void()> act;
    void on_epoch_begin(rt::TrainingState& state) {
      if (state.epoch == 3) {
        act();
      }
    }
  };
  const auto path = disk.path() / "training.pt";
  const auto is_whole = [&] {
    return rt::load_state_dict(path)["fit"][1].item<std::int64_t>() == 2;  // its epoch
  };
  CHECK(contains(fit_to(path, Then{[&] { disk.fill(4096); }}), "No space left on device"));
  CHECK(is_whole());
  CHECK(names_in(disk.path()) == std::set<std::string>{"training.pt", "filler"});
  fs::remove(disk.path() / "filler");
  CHECK(contains(fit_to(path, Then{[&] { disk.set_read_only(true); }}), "Read-only file system"));
  CHECK(is_whole());
  CHECK(contains(fit_to(path), "Read-only file system"));
  disk.set_read_only(false);
  // Replaced by a folder in the midst: the old one is gone by another's hand, and nothing is left
  // over.
  CHECK(contains(fit_to(path, Then{[&] {
                          fs::remove(path);
                          fs::create_directories(path / "full");
                        }}),
                 "wanted a file, got a folder"));
  CHECK(names_in(disk.path()) == std::set<std::string>{"training.pt"});
}

}  // namespace resume_test
