// What may happen to a fit in the night: each a clear error, the old file whole, the model in the
// mode it was in.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "checkpoints.hpp"
#include "regtorch/stopping/early_stopping.hpp"
#include "regtorch/training/model_checkpoint.hpp"

namespace bad_input_test {

namespace fs = std::filesystem;
using namespace regtorch::testing;
using rt::ModelCheckpoint;
using rt::ModelCheckpointOptions;

namespace {

using Names = std::set<std::string>;

/// A callback that does something at the beginning of an epoch.
struct AtEpoch {
  std::int64_t epoch;
  std::function<void()> act;
  void on_epoch_begin(rt::TrainingState& state) {
    if (state.epoch == epoch) {
      act();
    }
  }
};

/// The best epoch so far by "score", which falls from epoch to epoch, in a folder.
ModelCheckpoint falling(const fs::path& folder, const std::string& name = "best.pt") {
  return ModelCheckpoint(ModelCheckpointOptions(folder / name).monitor("score"));
}
const std::vector<double> kFalling{5, 4, 3, 2, 1};

/// Images that make the loss NaN.
void spoil(std::vector<ToyBatch>& batches) { batches.back().images.fill_(std::nan("")); }

}  // namespace

TEST_CASE("a disk that is full in the midst of a fit", "[training]") {
  // None of a new file's bytes have room, or the first 4 KiB.
  for (const std::size_t left : {0, 4096}) {
    for (const char* name : {"best.pt", "{epoch}.pt"}) {
      const SmallDisk disk("256k");
      if (!disk.mounted()) {
        WARN("not run: mounting a small tmpfs takes root");
        return;
      }
      ToyFit fit;
      Score score{kFalling};
      auto checkpoint = falling(disk.path(), name);
      auto trainer = fit.trainer(5);
      const AtEpoch fill{3, [&] { disk.fill(left); }};
      const auto message = error_of(
          [&] { trainer.fit(fit.train, fit.validation, AtEpoch(fill), score, checkpoint); });
      const fs::path kept = checkpoint.best_path();
      CHECK(fs::file_size(kept) > 4096);
      CHECK(
          contains(message, "ModelCheckpoint: could not save epoch 3 as " + disk.path().string()));
      CHECK(contains(message, "No space left on device"));
      CHECK(contains(message, "; " + kept.string() + " still holds epoch 2"));
      CHECK(names_in(disk.path()) == Names{kept.filename(), "filler"});
      CHECK(equal(ToyFit::weights_in(kept), score.weights[1]));
      CHECK(checkpoint.saved().size() == 1);
      CHECK(checkpoint.best() == 4);
      CHECK(fit.is_in_its_mode());
      CHECK(trainer.history().epochs.size() == 3);

      // With room again, the same objects go on.
      fs::remove(disk.path() / "filler");
      trainer.fit(fit.train, fit.validation, score, checkpoint);
      CHECK(equal(ToyFit::weights_in(checkpoint.best_path()), score.weights[4]));
    }
  }
}

TEST_CASE("a write that failed changes nothing that a later one goes by", "[training]") {
  const SmallDisk disk("256k");
  if (!disk.mounted()) {
    WARN("not run: mounting a small tmpfs takes root");
    return;
  }
  ToyFit fit;
  rt::TrainingState state{*fit.model, fit.optimizer, 5};
  ModelCheckpoint checkpoint(ModelCheckpointOptions(disk.path() / "{epoch}.pt").save_top_k(2));
  checkpoint.on_fit_begin(state);
  const auto epoch = [&](double value) {
    ++state.epoch;
    state.metrics.set("val_loss", value);
    checkpoint.on_epoch_end(state);
  };
  epoch(5);
  epoch(3);
  disk.fill(0);
  CHECK(contains(error_of([&] { epoch(1); }), "No space left on device"));
  CHECK(names_in(disk.path()) == Names{"1.pt", "2.pt", "filler"});
  CHECK(checkpoint.saved().size() == 2);
  CHECK(checkpoint.best() == 3);
  fs::remove(disk.path() / "filler");
  epoch(4);
  CHECK(names_in(disk.path()) == Names{"2.pt", "4.pt"});
}

TEST_CASE("a read-only folder", "[training]") {
  const SmallDisk disk("256k");
  if (!disk.mounted()) {
    WARN("not run: mounting a small tmpfs takes root");
    return;
  }
  ToyFit fit;
  const auto untrained = weights_of(*fit.model);
  Score score{kFalling};
  auto checkpoint = falling(disk.path());
  auto trainer = fit.trainer(5);
  put(disk.path() / "best.pt", "old");
  disk.set_read_only(true);
  CHECK(contains(
      error_of([&] { trainer.fit(fit.train, fit.validation, score, checkpoint); }),
      "could not write to the folder " + disk.path().string() + ": Read-only file system"));
  CHECK(equal(weights_of(*fit.model), untrained));  // at once
  CHECK(contents(disk.path() / "best.pt") == "old");
  auto deeper = falling(disk.path() / "runs");
  CHECK(contains(error_of([&] { trainer.fit(fit.train, fit.validation, score, deeper); }),
                 "could not create the folder " + (disk.path() / "runs").string() +
                     ": Read-only file system"));

  disk.set_read_only(false);
  const AtEpoch lock{3, [&] { disk.set_read_only(true); }};
  const auto message =
      error_of([&] { trainer.fit(fit.train, fit.validation, AtEpoch(lock), score, checkpoint); });
  CHECK(contains(message, "could not save epoch 3 as " + (disk.path() / "best.pt").string()));
  CHECK(contains(message, "Read-only file system"));
  CHECK(names_in(disk.path()) == Names{"best.pt"});
  CHECK(equal(ToyFit::weights_in(disk.path() / "best.pt"), score.weights[1]));
  CHECK(fit.is_in_its_mode());
  disk.set_read_only(false);
}

TEST_CASE("a folder where the file should be", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "best.pt";
  ToyFit fit;
  const auto untrained = weights_of(*fit.model);
  Score score{kFalling};
  auto checkpoint = falling(folder.path);
  auto trainer = fit.trainer(5);
  fs::create_directory(path);
  CHECK(contains(error_of([&] { trainer.fit(fit.train, fit.validation, score, checkpoint); }),
                 "wanted a file as " + path.string() + ", got a folder"));
  CHECK(equal(weights_of(*fit.model), untrained));  // at once
  fs::remove(path);

  const AtEpoch replace{3, [&] {
                          fs::rename(path, folder.path / "mine.pt");
                          fs::create_directories(path / "not-empty");
                        }};
  const auto message = error_of(
      [&] { trainer.fit(fit.train, fit.validation, AtEpoch(replace), score, checkpoint); });
  CHECK(contains(message, "could not save epoch 3 as " + path.string()));
  CHECK(contains(message, "wanted a file, got a folder"));
  CHECK(names_in(folder.path) == Names{"best.pt", "mine.pt"});
  CHECK(fs::exists(path / "not-empty"));
  CHECK(equal(ToyFit::weights_in(folder.path / "mine.pt"), score.weights[1]));
  CHECK(fit.is_in_its_mode());
}

TEST_CASE("a checkpoint cut at every 4 KiB", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "cut.pt";
  torch::manual_seed(0);
  const auto make = [] {
    torch::nn::Sequential model(torch::nn::Linear(200, 300), torch::nn::BatchNorm1d(300),
                                torch::nn::Linear(300, 100));
    model->eval();
    model[1]->train();
    return model;
  };
  auto saved = make();
  auto model = make();
  const auto before = weights_of(*model);
  rt::save_state_dict(*saved, folder.path / "whole.pt");
  const auto bytes = contents(folder.path / "whole.pt");
  REQUIRE(bytes.size() > 300'000);
  int cuts = 0;
  for (std::size_t size = 0; size < bytes.size(); size += 4096, ++cuts) {
    INFO(size);
    put(path, bytes.substr(0, size));
    const auto message = error_of([&] { rt::load_state_dict(*model, path); });
    CHECK(contains(message, "load_state_dict: " + path.string()));
    CHECK(equal(weights_of(*model), before));
    CHECK_FALSE(model->is_training());
    CHECK(model[1]->is_training());
  }
  CHECK(cuts > 70);
  put(path, bytes);
  rt::load_state_dict(*model, path);
  CHECK(equal(weights_of(*model), weights_of(*saved)));
}

TEST_CASE("a validation loss that is NaN, without EarlyStopping", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "best.pt";
  ToyFit fit;
  Score score{kFalling};
  auto trainer = fit.trainer(5);
  const auto message = error_of([&] {
    trainer.fit(fit.train, fit.validation, AtEpoch{3, [&] { spoil(fit.validation); }}, score,
                ModelCheckpoint(path));
  });
  const auto losses = trainer.history().metric("val_loss");
  REQUIRE(losses.size() == 3);
  const std::size_t best = losses[1] < losses[0] ? 1 : 0;
  CHECK(
      contains(message, c10::str("ModelCheckpoint: wanted a finite val_loss, got nan in epoch 3; ",
                                 path.string(), " still holds epoch ", best + 1)));
  CHECK(equal(ToyFit::weights_in(path), score.weights[best]));
  CHECK(names_in(folder.path) == Names{"best.pt"});
  CHECK(fit.is_in_its_mode());
}

TEST_CASE("a validation loss that is NaN, with EarlyStopping before or after", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "best.pt";
  for (const bool before : {true, false}) {
    ToyFit fit;
    Score score{kFalling};
    rt::EarlyStopping stopper{rt::EarlyStoppingOptions()};
    ModelCheckpoint checkpoint(path);
    auto trainer = fit.trainer(5);
    const AtEpoch spoiling{3, [&] { spoil(fit.validation); }};
    const auto message = error_of([&] {
      if (before) {
        trainer.fit(fit.train, fit.validation, AtEpoch(spoiling), score, stopper, checkpoint);
      } else {
        trainer.fit(fit.train, fit.validation, AtEpoch(spoiling), score, checkpoint, stopper);
      }
    });
    CHECK(trainer.history().epochs.size() == 3);
    CHECK(message.empty() == before);
    CHECK((stopper.reason() == rt::StopReason::kNonFinite) == before);
    REQUIRE(checkpoint.saved().size() == 1);
    const auto epoch = static_cast<std::size_t>(checkpoint.saved()[0].epoch);
    CHECK(epoch < 3);
    CHECK(equal(ToyFit::weights_in(path), score.weights[epoch - 1]));
    CHECK(fit.is_in_its_mode());
  }
}

TEST_CASE("a training loss that is NaN", "[training]") {
  const TemporaryFolder folder;
  ToyFit fit;
  Score score{kFalling};
  auto trainer = fit.trainer(5);
  const AtEpoch spoiling{3, [&] { spoil(fit.train); }};
  const auto message = error_of([&] {
    trainer.fit(fit.train, fit.validation, AtEpoch(spoiling), score, falling(folder.path));
  });
  CHECK(contains(message, "wanted a finite training loss, got nan in epoch 3"));
  CHECK(trainer.history().epochs.size() == 2);
  CHECK(names_in(folder.path) == Names{"best.pt"});
  CHECK(equal(ToyFit::weights_in(folder.path / "best.pt"), score.weights[1]));
  CHECK(fit.is_in_its_mode());
}

TEST_CASE("a callback that throws in the middle of an epoch", "[training]") {
  struct Thrower {
    void on_batch_end(rt::TrainingState& state) {
      if (state.epoch == 3 && state.batch == 4) {
        throw std::runtime_error("in the middle");
      }
    }
  };
  const TemporaryFolder folder;
  ToyFit fit;
  Score score{kFalling};
  auto checkpoint = falling(folder.path);
  auto trainer = fit.trainer(5);
  CHECK(error_of([&] { trainer.fit(fit.train, fit.validation, Thrower(), score, checkpoint); }) ==
        "in the middle");
  CHECK(fit.is_in_its_mode());
  CHECK(trainer.history().metric("score") == std::vector<double>{5, 4});
  CHECK(checkpoint.best() == 4);
  CHECK(names_in(folder.path) == Names{"best.pt"});
  CHECK(equal(ToyFit::weights_in(folder.path / "best.pt"), score.weights[1]));
  CHECK_FALSE(equal(weights_of(*fit.model), score.weights[1]));  // some steps further
}

}  // namespace bad_input_test
