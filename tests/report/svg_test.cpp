#include "regtorch/report/svg.hpp"

#include <cmath>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.hpp"
#include "report/svg_reader.hpp"
#include "temporary_folder.hpp"

namespace svg_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::path_points;
using regtorch::testing::TemporaryFolder;
using regtorch::testing::XmlElement;
using regtorch::testing::XmlReader;
using rt::report::SvgOptions;
using Values = std::vector<double>;

namespace {

/// A history of these losses; epochs that have none lack the metric.
rt::History losses(const Values& train, const Values& validation) {
  rt::History history;
  for (std::size_t i = 0; i < std::max(train.size(), validation.size()); ++i) {
    history.epochs.push_back({static_cast<std::int64_t>(i) + 1, {}});
    auto& metrics = history.epochs.back().metrics;
    if (i < train.size()) {
      metrics.set("train_loss", train[i]);
    }
    if (i < validation.size()) {
      metrics.set("val_loss", validation[i]);
    }
    metrics.set("lr", 0.1);
  }
  return history;
}

XmlElement drawn(const rt::History& history, const SvgOptions& options = {}) {
  const TemporaryFolder folder;
  rt::report::write_svg(history, folder.path / "loss.svg", options);
  std::ifstream file(folder.path / "loss.svg");
  return XmlReader::read({std::istreambuf_iterator<char>(file), {}});
}

/// All texts of the picture that are no ticks: title, legend, axes, note.
std::vector<std::string> texts(const XmlElement& svg) {
  std::vector<std::string> found;
  for (const auto& text : svg.all("text")) {
    if (text.text.find_first_not_of("0123456789.e-") != std::string::npos) {
      found.push_back(text.text);
    }
  }
  return found;
}

const Values kTrain{1.509, 1.02, 0.78, 0.62, 0.49, 0.39, 0.29, 0.215};
const Values kValidation{1.233, 0.991, 0.754, 0.698, 0.646, 0.751, 0.614, 0.670};
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("both losses are drawn over the epochs, the best epoch marked", "[report]") {
  const XmlElement svg = drawn(losses(kTrain, kValidation), SvgOptions().title("ResNet-18"));
  CHECK(texts(svg) == Texts{"ResNet-18", "training loss", "validation loss", "epoch", "loss",
                            "best: epoch 7, validation loss 0.614"});
  const auto lines = svg.all("path", "line");
  REQUIRE(lines.size() == 2);
  const auto train = path_points(lines[0]);
  const auto validation = path_points(lines[1]);
  REQUIRE(train.size() == 8);
  REQUIRE(validation.size() == 8);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(train[i].x == validation[i].x);
    CHECK((train[i].y < validation[i].y) == (kTrain[i] > kValidation[i]));  // downwards
  }
  const auto ring = svg.all("circle", "mark").at(0);
  CHECK(ring.number("cx") == validation[6].x);
  CHECK(ring.number("cy") == validation[6].y);
}

TEST_CASE("the legend may say that the training loss is another one", "[report]") {
  const auto svg = drawn(losses(kTrain, kValidation), SvgOptions().train_loss_name("of smoothed"));
  CHECK(texts(svg)[0] == "of smoothed");
  CHECK(texts(svg)[1] == "validation loss");
}

TEST_CASE("a picture may show the first epochs only", "[report]") {
  const auto history = losses(kTrain, kValidation);
  const XmlElement svg = drawn(history, SvgOptions().epochs(6));
  CHECK(path_points(svg.all("path", "line").at(0)).size() == 6);
  CHECK(texts(svg).back() == "best: epoch 5, validation loss 0.646");  // of those drawn
  CHECK(path_points(drawn(history, SvgOptions().epochs(9)).all("path", "line").at(0)).size() == 8);
  CHECK(error_of([&] { drawn(history, SvgOptions().epochs(0)); }) ==
        "write_svg: wanted at least 1 epoch, got epochs(0)");
}

TEST_CASE("the best epoch may be another's choice", "[report]") {
  const auto history = losses(kTrain, kValidation);
  CHECK(texts(drawn(history, SvgOptions().best_epoch(5))).back() ==
        "best: epoch 5, validation loss 0.646");
  for (const auto& options :
       {SvgOptions().best_epoch(0), SvgOptions().epochs(6).best_epoch(7)}) {  // none; not drawn
    CHECK(drawn(history, options).all("path", "mark").empty());
    CHECK(texts(drawn(history, options)).back() == "loss");
  }
  CHECK(error_of([&] { drawn(history, SvgOptions().best_epoch(9)); }) ==
        "write_svg: wanted a best_epoch that is 0 or one of the history's 8 epochs, got 9");
}

TEST_CASE("the first of equally good epochs is the best, and NaN is none", "[report]") {
  CHECK(texts(drawn(losses({}, {std::nan(""), 2, 1, 1}))).back() ==
        "best: epoch 3, validation loss 1");
  CHECK(texts(drawn(losses({}, {-INFINITY, 1e12}))).back() ==
        "best: epoch 2, validation loss 1e12");
  CHECK(drawn(losses({1, 2}, {std::nan(""), std::nan("")})).all("path", "mark").empty());
  // Pointed out all the same if somebody says so.
  CHECK(texts(drawn(losses({1, 2}, {std::nan(""), 1}), SvgOptions().best_epoch(1))).back() ==
        "best: epoch 1");
}

TEST_CASE("a history may have one of the losses, or lack it at times", "[report]") {
  CHECK(texts(drawn(losses(kTrain, {}))) == Texts{"training loss", "epoch", "loss"});
  CHECK(texts(drawn(losses({}, {2, 1.23456}))) ==
        Texts{"validation loss", "epoch", "loss", "best: epoch 2, validation loss 1.235"});
  // Validated in the first three epochs only.
  const XmlElement svg = drawn(losses(kTrain, {3, 2, 1}));
  CHECK(path_points(svg.all("path", "line").at(1)).size() == 3);
  CHECK(error_of([] {
          rt::History history;
          history.epochs.push_back({1, {}});
          history.epochs.back().metrics.set("lr", 0.1);
          history.epochs.back().metrics.set("accuracy", 0.5);
          drawn(history);
        }) == "write_svg: wanted train_loss or val_loss, got [lr, accuracy]");
}

TEST_CASE("a history without epochs is a picture that says so", "[report]") {
  CHECK(texts(drawn({}, SvgOptions().epochs(15))) == Texts{"epoch", "loss", "no values to draw"});
}

TEST_CASE("a picture that cannot be written names the file", "[report]") {
  CHECK(contains(error_of([] { rt::report::write_svg({}, "/nowhere/loss.svg"); }),
                 "could not write /nowhere/loss.svg"));
}

}  // namespace svg_test
