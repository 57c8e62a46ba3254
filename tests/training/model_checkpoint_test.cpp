#include "regtorch/training/model_checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/mount.h>
#include <sys/stat.h>

#include "catch.hpp"
#include "checkpoints.hpp"
#include "regtorch/models/channels_last.hpp"
#include "regtorch/stopping/early_stopping.hpp"

namespace model_checkpoint_test {

namespace fs = std::filesystem;
using namespace regtorch::testing;
using rt::ModelCheckpoint;
using rt::ModelCheckpointOptions;
using rt::MonitorMode;

namespace {

using Names = std::set<std::string>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");

/// The hooks of a fit without a training: all weights are the epoch's number.
struct Hooks {
  torch::nn::Linear model{2, 1};
  torch::optim::SGD optimizer{model->parameters(), torch::optim::SGDOptions(1)};
  rt::TrainingState state{*model, optimizer, /*epochs=*/10};

  void begin(ModelCheckpoint& checkpoint) {
    state.epoch = 0;
    checkpoint.on_fit_begin(state);
  }
  void epoch(ModelCheckpoint& checkpoint, double value) {
    const torch::NoGradGuard no_grad;
    ++state.epoch;
    model->weight.fill_(state.epoch);
    model->bias.fill_(state.epoch);
    state.metrics = {};
    state.metrics.set("val_loss", value);
    checkpoint.on_epoch_end(state);
  }
  void fit(ModelCheckpoint& checkpoint, const std::vector<double>& values) {
    begin(checkpoint);
    for (const double value : values) {
      epoch(checkpoint, value);
    }
  }
};

/// The epoch whose weights are in a file.
int epoch_in(const fs::path& path) {
  torch::nn::Linear model(2, 1);
  rt::load_state_dict(*model, path);
  CHECK(model->weight.eq(model->bias).all().item<bool>());
  return model->bias.item<int>();
}

}  // namespace

TEST_CASE("ModelCheckpoint keeps the best epoch of a fit", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "best.pt";
  ToyFit fit;
  auto stopper = rt::EarlyStopping(rt::EarlyStoppingOptions().patience(4));
  Score score{std::vector<double>(40, 0)};
  const auto history = fit.trainer(40).fit(fit.train, fit.validation, stopper, score,
                                           ModelCheckpoint(path.string()));
  const auto losses = history.metric("val_loss");
  const auto best = std::min_element(losses.begin(), losses.end()) - losses.begin();
  CHECK(equal(ToyFit::weights_in(path), score.weights[static_cast<std::size_t>(best)]));
  CHECK(names_in(folder.path) == Names{"best.pt"});
}

TEST_CASE("the k best epochs are kept, of equal ones the older", "[training]") {
  std::mt19937 random(0);
  for (const auto mode : {MonitorMode::kMin, MonitorMode::kMax}) {
    for (const std::int64_t k : {1, 2, 3, 10, 20}) {
      const TemporaryFolder folder;
      Hooks hooks;
      ModelCheckpoint checkpoint(
          ModelCheckpointOptions(folder.path / "{epoch}.pt").save_top_k(k).mode(mode));
      hooks.begin(checkpoint);
      std::vector<std::pair<double, std::int64_t>> all;  // (value, the less the better; epoch)
      for (std::int64_t epoch = 1; epoch <= 10; ++epoch) {
        const double value = static_cast<double>(random() % 5) - 2;
        hooks.epoch(checkpoint, value);
        all.emplace_back(mode == MonitorMode::kMin ? value : -value, epoch);
        std::sort(all.begin(), all.end());
        Names names;
        const auto saved = checkpoint.saved();
        REQUIRE(saved.size() == std::min(all.size(), static_cast<std::size_t>(k)));
        for (std::size_t i = 0; i < saved.size(); ++i) {
          CHECK(saved[i].epoch == all[i].second);
          CHECK(saved[i].value == (mode == MonitorMode::kMin ? 1 : -1) * all[i].first);
          CHECK(saved[i].path == folder.path / (std::to_string(saved[i].epoch) + ".pt"));
          CHECK(epoch_in(saved[i].path) == saved[i].epoch);
          names.insert(saved[i].path.filename());
        }
        CHECK(names_in(folder.path) == names);
        CHECK(checkpoint.best() == saved[0].value);
        CHECK(checkpoint.best_path() == saved[0].path);
      }
    }
  }
}

TEST_CASE("before anything is saved, the best value is the worst there is", "[training]") {
  CHECK(ModelCheckpoint("best.pt").best() == kInfinity);
  CHECK(ModelCheckpoint("best.pt").best_path().empty());
  CHECK(ModelCheckpoint("best.pt").saved().empty());
  CHECK(ModelCheckpoint(ModelCheckpointOptions("a").mode(MonitorMode::kMax)).best() == -kInfinity);
}

TEST_CASE("every n-th epoch is kept, or judged", "[training]") {
  const TemporaryFolder folder;
  Hooks hooks;
  ModelCheckpoint every(ModelCheckpointOptions(folder.path / "m-{epoch:02}.pt")
                            .save_top_k(std::nullopt)
                            .every_n_epochs(3)
                            .monitor("none"));  // is not looked at
  hooks.fit(every, {5, 4, kNaN, 2, 1, 7, 8, 9, 3, 1});
  CHECK(names_in(folder.path) == Names{"m-03.pt", "m-06.pt", "m-09.pt"});
  REQUIRE(every.saved().size() == 3);
  for (const std::size_t i : {0, 1, 2}) {
    const auto saved = every.saved()[i];
    CHECK(saved.epoch == 3 * (static_cast<int>(i) + 1));
    CHECK(std::isnan(saved.value));
    CHECK(epoch_in(saved.path) == saved.epoch);
  }
  CHECK(every.best() == kInfinity);
  CHECK(every.best_path().empty());

  ModelCheckpoint best(ModelCheckpointOptions(folder.path / "best.pt").every_n_epochs(2));
  hooks.fit(best, {kNaN, 4, 1, 3, 1, 5});
  CHECK(epoch_in(folder.path / "best.pt") == 4);
}

TEST_CASE("only what is better than the threshold is saved", "[training]") {
  const TemporaryFolder folder;
  const auto options = ModelCheckpointOptions(folder.path / "{epoch}").save_top_k(5);
  Hooks hooks;
  ModelCheckpoint less(ModelCheckpointOptions(options).initial_value_threshold(2));
  hooks.fit(less, {3, 2, 1, 5, 1.5});
  CHECK(names_in(folder.path) == Names{"3", "5"});
  ModelCheckpoint more(
      ModelCheckpointOptions(options).initial_value_threshold(2).mode(MonitorMode::kMax));
  hooks.fit(more, {3, 2, 1, 5, 1.5});
  CHECK(names_in(folder.path) == Names{"1", "3", "4", "5"});
}

TEST_CASE("a value that is not finite is an error, or not saved", "[training]") {
  for (const double value : {kNaN, kInfinity, -kInfinity}) {
    const TemporaryFolder folder;
    const fs::path path = folder.path / "best.pt";
    Hooks hooks;
    ModelCheckpoint checkpoint(path);
    hooks.begin(checkpoint);
    CHECK(contains(error_of([&] { hooks.epoch(checkpoint, value); }),
                   c10::str("wanted a finite val_loss, got ", value,
                            " in epoch 1; nothing was saved in this fit")));
    hooks.epoch(checkpoint, 3);
    CHECK(contains(error_of([&] { hooks.epoch(checkpoint, value); }),
                   c10::str("wanted a finite val_loss, got ", value, " in epoch 3; ", path.string(),
                            " still holds epoch 2")));
    hooks.state.stopping = true;  // as EarlyStopping wants for such a value
    hooks.epoch(checkpoint, value);
    CHECK(epoch_in(path) == 2);

    hooks.state.stopping = false;
    ModelCheckpoint lenient(ModelCheckpointOptions(path).check_finite(false));
    hooks.fit(lenient, {3, value, 2, value});
    CHECK(epoch_in(path) == 3);
    CHECK(lenient.best() == 2);
  }
}

TEST_CASE("an epoch in which the fit stops is saved, too", "[training]") {
  const TemporaryFolder folder;
  Hooks hooks;
  ModelCheckpoint checkpoint(folder.path / "best.pt");
  hooks.begin(checkpoint);
  hooks.state.stopping = true;
  hooks.epoch(checkpoint, 3);
  CHECK(epoch_in(folder.path / "best.pt") == 1);
}

TEST_CASE("a fixed name means that file, whatever is there", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "best.pt";
  put(path, "somebody's");
  Hooks hooks;
  ModelCheckpoint checkpoint(path);
  hooks.begin(checkpoint);
  CHECK(contents(path) == "somebody's");  // until there is a better one
  hooks.epoch(checkpoint, 3);
  CHECK(epoch_in(path) == 1);
  hooks.epoch(checkpoint, 4);
  CHECK(epoch_in(path) == 1);
  put(path, "somebody's");
  hooks.epoch(checkpoint, 2);
  CHECK(epoch_in(path) == 3);
  CHECK(names_in(folder.path) == Names{"best.pt"});
}

TEST_CASE("a name from a pattern that is taken gets a version", "[training]") {
  const TemporaryFolder folder;
  const auto options = ModelCheckpointOptions(folder.path / "m-{epoch}.pt").save_top_k(2);
  put(folder.path / "m-1.pt", "somebody's");
  fs::create_directory(folder.path / "m-2.pt");
  put(folder.path / "m-2-v1.pt", "somebody's");
  Hooks hooks;
  ModelCheckpoint checkpoint(options);
  hooks.fit(checkpoint, {5, 3, 4});
  CHECK(names_in(folder.path) == Names{"m-1.pt", "m-2.pt", "m-2-v1.pt", "m-2-v2.pt", "m-3.pt"});
  CHECK(contents(folder.path / "m-1.pt") == "somebody's");
  CHECK(contents(folder.path / "m-2-v1.pt") == "somebody's");
  CHECK(epoch_in(folder.path / "m-2-v2.pt") == 2);
  CHECK(epoch_in(folder.path / "m-3.pt") == 3);
  CHECK(checkpoint.best_path() == folder.path / "m-2-v2.pt");
}

TEST_CASE("a second fit forgets the first and leaves its files", "[training]") {
  const TemporaryFolder folder;
  const auto options = ModelCheckpointOptions(folder.path / "{epoch}.pt");
  Hooks hooks;
  ModelCheckpoint checkpoint(options);
  hooks.fit(checkpoint, {1, 2});
  CHECK(names_in(folder.path) == Names{"1.pt"});
  hooks.fit(checkpoint, {9, 8, 7});  // none as good as the first fit's
  CHECK(names_in(folder.path) == Names{"1.pt", "3.pt"});
  CHECK(checkpoint.best() == 7);
  CHECK(checkpoint.saved().size() == 1);
  ModelCheckpoint another(options);
  hooks.fit(another, {5, 4, 3});
  CHECK(names_in(folder.path) == Names{"1.pt", "3.pt", "3-v1.pt"});
  hooks.fit(another, {3});
  CHECK(names_in(folder.path) == Names{"1.pt", "1-v1.pt", "3.pt", "3-v1.pt"});
}

TEST_CASE("a kept file that somebody replaced or changed is not removed", "[training]") {
  const TemporaryFolder folder;
  Hooks hooks;
  ModelCheckpoint checkpoint(ModelCheckpointOptions(folder.path / "{epoch}.pt").save_top_k(4));
  hooks.fit(checkpoint, {4, 3, 2, 1});
  const auto bytes = contents(folder.path / "1.pt");
  put(folder.path / "mine", bytes);
  fs::rename(folder.path / "mine", folder.path / "1.pt");  // another file, with the same bytes
  const auto time = fs::last_write_time(folder.path / "2.pt");
  put(folder.path / "2.pt", bytes);  // the same file, with other bytes and a later time
  fs::last_write_time(folder.path / "2.pt", time + std::chrono::seconds(1));
  fs::remove(folder.path / "3.pt");
  for (const double value : {0.5, 0.4, 0.3, 0.2}) {
    hooks.epoch(checkpoint, value);
  }
  CHECK(names_in(folder.path) == Names{"1.pt", "2.pt", "5.pt", "6.pt", "7.pt", "8.pt"});
  CHECK(contents(folder.path / "1.pt") == bytes);
  CHECK(contents(folder.path / "2.pt") == bytes);
}

TEST_CASE("values that look alike share a name, and nothing is lost", "[training]") {
  const TemporaryFolder folder;
  const auto options = ModelCheckpointOptions(folder.path / "best-{val_loss:.1f}.pt");
  Hooks hooks;
  ModelCheckpoint checkpoint(options);
  hooks.fit(checkpoint, {0.53, 0.52, 0.51});
  CHECK(names_in(folder.path) == Names{"best-0.5.pt"});
  CHECK(epoch_in(folder.path / "best-0.5.pt") == 3);
  put(folder.path / "best-0.5.pt", "somebody's");
  hooks.epoch(checkpoint, 0.5);
  CHECK(names_in(folder.path) == Names{"best-0.5.pt", "best-0.5-v1.pt"});
  hooks.epoch(checkpoint, 0.49);
  CHECK(epoch_in(folder.path / "best-0.5-v1.pt") == 5);
  CHECK(contents(folder.path / "best-0.5.pt") == "somebody's");

  // Numbers that run into each other: epoch 1 with 12, epoch 11 with 2.
  const TemporaryFolder another;
  ModelCheckpoint two(ModelCheckpointOptions(another.path / "{epoch}{val_loss}.pt").save_top_k(11));
  hooks.fit(two, {12, 20, 20, 20, 20, 20, 20, 20, 20, 20, 2});
  CHECK(epoch_in(another.path / "112.pt") == 1);
  CHECK(epoch_in(another.path / "112-v1.pt") == 11);
}

TEST_CASE("a file that cannot be removed is a warning", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "1.pt";
  Hooks hooks;
  ModelCheckpoint checkpoint(ModelCheckpointOptions(folder.path / "{epoch}.pt"));
  hooks.fit(checkpoint, {3});
  // A file onto which something is mounted, here itself, is busy.
  if (::mount(path.c_str(), path.c_str(), "", MS_BIND, nullptr) != 0) {
    WARN("not run: mounting takes root");
    return;
  }
  struct Handler : c10::WarningHandler {
    void process(const c10::Warning& warning) override { text = warning.msg(); }
    std::string text;
  } handler;
  {
    const c10::WarningUtils::WarningHandlerGuard guard(&handler);
    hooks.epoch(checkpoint, 2);
  }
  ::umount(path.c_str());
  CHECK(contains(handler.text, "could not remove " + path.string() + ": Device or resource busy"));
  CHECK(names_in(folder.path) == Names{"1.pt", "2.pt"});
  CHECK(checkpoint.best_path() == folder.path / "2.pt");
}

TEST_CASE("the folder is made when the fit begins", "[training]") {
  const TemporaryFolder folder;
  Hooks hooks;
  ModelCheckpoint checkpoint(folder.path / "a" / "b" / "best.pt");
  hooks.begin(checkpoint);
  CHECK(names_in(folder.path / "a" / "b").empty());
  hooks.epoch(checkpoint, 1);
  CHECK(names_in(folder.path / "a" / "b") == Names{"best.pt"});

  fs::create_directory_symlink("a", folder.path / "link");
  ModelCheckpoint linked(folder.path / "link" / "best.pt");
  hooks.fit(linked, {1, 2});
  CHECK(epoch_in(folder.path / "a" / "best.pt") == 1);

  const auto before = fs::current_path();
  fs::current_path(folder.path);
  for (const char* pattern : {"best.pt", "{epoch}.pt"}) {
    ModelCheckpoint here(pattern);
    hooks.fit(here, {1});
  }
  fs::current_path(before);
  CHECK(names_in(folder.path) == Names{"a", "link", "best.pt", "1.pt"});
}

TEST_CASE("a symbolic link stays one, and a file keeps its permissions", "[training]") {
  const TemporaryFolder folder;
  const fs::path disk = folder.path / "disk";
  const fs::path link = folder.path / "best.pt";
  fs::create_directory(disk);
  fs::create_symlink("disk/real.pt", link);
  Hooks hooks;
  ModelCheckpoint linked(link);
  hooks.fit(linked, {3, 2});
  CHECK(fs::is_symlink(link));
  CHECK(epoch_in(disk / "real.pt") == 2);
  CHECK(names_in(disk) == Names{"real.pt"});
  CHECK(names_in(folder.path) == Names{"best.pt", "disk"});

  fs::permissions(disk / "real.pt", fs::perms::owner_read | fs::perms::owner_write);
  hooks.fit(linked, {1});
  CHECK(fs::status(link).permissions() == (fs::perms::owner_read | fs::perms::owner_write));

  // One with a name of its own is as readable as any new file.
  ModelCheckpoint numbered(disk / "{epoch}.pt");
  hooks.fit(numbered, {1});
  put(disk / "new", "");
  CHECK(fs::status(disk / "1.pt").permissions() == fs::status(disk / "new").permissions());

  fs::remove_all(disk);  // the link leads nowhere: found at once
  CHECK(contains(error_of([&] { hooks.begin(linked); }),
                 "could not write to the folder " + disk.string() + ": No such file"));
}

TEST_CASE("what would fail at the end of the night fails at its beginning", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "best.pt";
  Hooks hooks;
  const auto error = [&](const fs::path& pattern) {
    ModelCheckpoint checkpoint{ModelCheckpointOptions(pattern)};
    return error_of([&] { hooks.begin(checkpoint); });
  };
  fs::create_directory(path);
  CHECK(contains(error(path), "wanted a file as " + path.string() + ", got a folder"));
  CHECK(contains(error(folder.path / ".."), "got a folder"));
  REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
  CHECK(contains(error(folder.path / "pipe"), "got a device or the like"));
  CHECK(contains(
      error(folder.path / "pipe" / "best.pt"),
      "could not create the folder " + (folder.path / "pipe").string() + ": Not a directory"));
  CHECK(contains(error("/proc/none/best.pt"), "could not create the folder /proc/none: "));
  CHECK(contains(error("/proc/best.pt"), "could not write to the folder /proc: "));
  CHECK(error(folder.path / std::string(255, 'x')).empty());
  const auto longer = folder.path / std::string(256, 'x');
  CHECK(contains(error(longer), "could not write " + longer.string() + ": File name too long"));
  const std::string text(240, 'x');  // "-v100" and the epoch 10 make 247
  CHECK(error(folder.path / (text + "{epoch:010}")).empty());
  CHECK(contains(error(folder.path / (text + "{epoch:011}")), "File name too long"));
  CHECK(contains(error(folder.path / (text + "{val_loss}")), "File name too long"));
  CHECK(names_in(folder.path) == Names{"best.pt", "pipe"});
}

TEST_CASE("a metric that does not exist is an error in the first epoch", "[training]") {
  const TemporaryFolder folder;
  Hooks hooks;
  for (const auto& options :
       {ModelCheckpointOptions(folder.path / "best.pt").monitor("loss"),
        ModelCheckpointOptions(folder.path / "{loss}.pt"),
        ModelCheckpointOptions(folder.path / "{epoch}{loss}.pt").save_top_k(std::nullopt)}) {
    ModelCheckpoint checkpoint(ModelCheckpointOptions(options).every_n_epochs(10));
    hooks.begin(checkpoint);
    CHECK(contains(error_of([&] { hooks.epoch(checkpoint, 1); }),
                   "wanted one of [val_loss], got 'loss'"));
  }
  CHECK(names_in(folder.path).empty());
}

TEST_CASE("ModelCheckpoint refuses options out of range", "[training]") {
  const auto error = [](const ModelCheckpointOptions& options) {
    return error_of([&] { ModelCheckpoint checkpoint(options); });
  };
  const ModelCheckpointOptions good("{epoch}.pt");
  CHECK(contains(error(ModelCheckpointOptions(good).save_top_k(0)), "at least 1"));
  CHECK(contains(error(ModelCheckpointOptions(good).save_top_k(-1)),
                 "save_top_k of at least 1, or std::nullopt to keep every file, got -1"));
  CHECK(contains(error(ModelCheckpointOptions(good).every_n_epochs(0)),
                 "every_n_epochs of at least 1, got 0"));
  CHECK(contains(error(ModelCheckpointOptions(good).initial_value_threshold(kNaN)), "got nan"));
  CHECK(contains(
      error(ModelCheckpointOptions(good).save_top_k(std::nullopt).initial_value_threshold(0.5)),
      "initial_value_threshold 0.5: without one no epoch is judged"));
  CHECK(error(ModelCheckpointOptions(good).save_top_k(2)).empty());
  for (const auto k : {std::optional<std::int64_t>(2), std::optional<std::int64_t>()}) {
    CHECK(error(ModelCheckpointOptions("best.pt").save_top_k(k)) ==
          "ModelCheckpoint: wanted {epoch} in the file name pattern 'best.pt' where more than one "
          "file is kept: two epochs could have the same name");
    CHECK(contains(error(ModelCheckpointOptions("{val_loss}").save_top_k(k)), "wanted {epoch}"));
  }
  CHECK(error(ModelCheckpointOptions("{val_loss}")).empty());
  CHECK(contains(error_of([] { ModelCheckpoint("a/b{"); }), "pattern 'a/b{', character 4: "));
  CHECK_THROWS_AS(ModelCheckpoint(""), c10::ValueError);
}

TEST_CASE("weights in bfloat16 and channels_last are saved bit for bit", "[training]") {
  const TemporaryFolder folder;
  const auto make = [] {
    torch::manual_seed(1);
    torch::nn::Sequential model(torch::nn::Conv2d(3, 5, 3), torch::nn::BatchNorm2d(5));
    model->to(torch::kBFloat16);
    return model;
  };
  auto model = make();
  rt::to_channels_last(*model);
  REQUIRE(model->parameters()[0].stride(1) == 1);
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(1));
  rt::TrainingState state{*model, optimizer, 1};
  ModelCheckpoint checkpoint(folder.path / "best.pt");
  checkpoint.on_fit_begin(state);
  state.epoch = 1;
  state.metrics.set("val_loss", 1);
  checkpoint.on_epoch_end(state);
  auto loaded = make();
  for (auto& parameter : loaded->parameters()) {
    parameter.data().zero_();
  }
  rt::load_state_dict(*loaded, folder.path / "best.pt");
  CHECK(equal(weights_of(*loaded), weights_of(*model)));
  CHECK(loaded->parameters()[0].scalar_type() == torch::kBFloat16);
}

}  // namespace model_checkpoint_test
