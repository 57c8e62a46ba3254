#include "regtorch/training/progress_line.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include "catch.hpp"
#include "progress_state.hpp"

namespace progress_line_test {

using regtorch::testing::contains;
using regtorch::testing::ProgressState;
using rt::EpochSeconds;
using rt::EpochSoFar;
using rt::progress_line;

namespace {

const EpochSoFar kSoFar{7.2, 0.79121, 0.72314};
const EpochSeconds kMean{2, 190, 30};

std::string line_at(int width) {
  return progress_line(ProgressState(3, 51, 412, 938, 13184).state, kSoFar, kMean, width, false);
}

std::string line_of(const ProgressState& progress, const EpochSoFar& so_far = kSoFar,
                    const EpochSeconds& mean = kMean) {
  return progress_line(progress.state, so_far, mean, 200, false);
}

/// How many characters UTF-8 text has.
std::int64_t characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

TEST_CASE("a line has what the width has room for", "[training]") {
  const std::string whole =
      "epoch 3/51  #############.................  412/938  1,831/s  loss 0.7912  acc 72.31 %  "
      "0:39 left (fit 2:56:39)";
  CHECK(line_at(500) == whole);
  CHECK(line_at(111) == whole);
  CHECK(line_at(110) ==
        "epoch 3/51  ############.................  412/938  1,831/s  loss 0.7912  acc 72.31 %  "
        "0:39 left (fit 2:56:39)");
  CHECK(
      line_at(89) ==
      "epoch 3/51  ###.....  412/938  1,831/s  loss 0.7912  acc 72.31 %  0:39 left (fit 2:56:39)");
  CHECK(line_at(88) ==
        "epoch 3/51  ########............  412/938  1,831/s  loss 0.7912  0:39 left (fit 2:56:39)");
  CHECK(line_at(76) ==
        "epoch 3/51  ###.....  412/938  1,831/s  loss 0.7912  0:39 left (fit 2:56:39)");
  CHECK(line_at(75) ==
        "epoch 3/51  ###.....  412/938  1,831/s  loss 0.7912  acc 72.31 %  0:39 left");
  CHECK(line_at(74) ==
        "epoch 3/51  ########............  412/938  1,831/s  loss 0.7912  0:39 left");
  CHECK(line_at(62) == "epoch 3/51  ###.....  412/938  1,831/s  loss 0.7912  0:39 left");
  CHECK(line_at(61) == "epoch 3/51  #######.........  412/938  loss 0.7912  0:39 left");
  CHECK(line_at(53) == "epoch 3/51  ###.....  412/938  loss 0.7912  0:39 left");
  CHECK(line_at(52) == "epoch 3/51  412/938  1,831/s  loss 0.7912  0:39 left");
  CHECK(line_at(51) == "epoch 3/51  412/938  loss 0.7912  0:39 left");
  CHECK(line_at(43) == "epoch 3/51  412/938  loss 0.7912  0:39 left");
  CHECK(line_at(42) == "3/51  412/938  loss 0.7912  0:39 left");
  CHECK(line_at(37) == "3/51  412/938  loss 0.7912  0:39 left");
  CHECK(line_at(36) == "epoch 3/51  412/938  0:39 left");
  CHECK(line_at(29) == "3/51  412/938  0:39 left");
  CHECK(line_at(23) == "epoch 3/51  412/938");
  CHECK(line_at(19) == "epoch 3/51  412/938");
  CHECK(line_at(18) == "3/51  412/938");
  CHECK(line_at(12) == "epoch 3/51");
  CHECK(line_at(4) == "3/51");
  CHECK(line_at(3).empty());
  CHECK(line_at(0).empty());
  CHECK(line_at(-1).empty());
}

TEST_CASE("a line is never wider than it may be", "[training]") {
  for (const bool utf8 : {false, true}) {
    for (int width = 0; width < 140; ++width) {
      for (const std::int64_t batch : {1, 9, 10, 938}) {
        const ProgressState progress(9, 100, batch, 938, batch * 32);
        const auto line = progress_line(progress.state, kSoFar, kMean, width, utf8);
        INFO(width << " " << line);
        CHECK(characters(line) <= width);
      }
    }
  }
}

TEST_CASE("numbers of batches take the same room from the first to the last", "[training]") {
  CHECK(contains(line_of({1, 9, 1, 938, 32}), ".    1/938  "));
  CHECK(contains(line_of({1, 9, 10, 938, 32}), ".   10/938  "));
  CHECK(contains(line_of({1, 9, 1, 2, 32}), ".  1/2  "));
}

TEST_CASE("the bar is full only at the end", "[training]") {
  const auto bar = [](std::int64_t batch) {
    return line_of({1, 9, batch, 938, 32}).substr(11, 30);
  };
  CHECK(bar(1) == std::string(30, '.'));
  CHECK(bar(31) == std::string(30, '.'));
  CHECK(bar(32) == std::string("#").append(29, '.'));
  CHECK(bar(469) == std::string(15, '#') + std::string(15, '.'));
  CHECK(bar(937) == std::string(29, '#') + ".");
  CHECK(bar(938) == std::string(30, '#'));
  CHECK(bar(2000) == std::string(30, '#'));  // a range that is longer than it said
}

TEST_CASE("a bar in Unicode has blocks", "[training]") {
  const ProgressState progress(3, 51, 412, 938, 13184);
  CHECK(progress_line(progress.state, kSoFar, kMean, 53, true) ==
        "epoch 3/51  ███░░░░░  412/938  loss 0.7912  0:39 left");
}

TEST_CASE("while validation runs no time is promised", "[training]") {
  const std::string line =
      "epoch 3/51  ##############################  938/938  4,169/s  loss 0.7912  acc 72.31 %  "
      "validating";
  CHECK(line_of({3, 51, 938, 938, 30016}) == line);
  CHECK(contains(line_of({3, 51, 939, 938, 30016}), "939/938"));
  CHECK(contains(line_of({3, 51, 939, 938, 30016}), "validating"));
  CHECK_FALSE(contains(line_of({3, 51, 939, 938, 30016}), "left"));
  CHECK_FALSE(contains(line_of({3, 51, 937, 938, 29984}), "validating"));
  CHECK(progress_line(ProgressState(3, 51, 938, 938, 30016).state, kSoFar, kMean, 30, false) ==
        "3/51  938/938  validating");
}

TEST_CASE("without the number of batches there is no bar and no time", "[training]") {
  CHECK(line_of({3, 51, 412, 0, 13184}) ==
        "epoch 3/51  batch 412  1,831/s  loss 0.7912  acc 72.31 %");
}

TEST_CASE("before the first batch there is nothing to measure", "[training]") {
  CHECK(line_of({3, 51, 0, 938, 0}) == "epoch 3/51  ..............................    0/938");
  CHECK(line_of({3, 51, 1, 938, 32}, {0, 2.5, 0.1}) ==
        "epoch 3/51  ..............................    1/938  loss 2.5000  acc 10.00 %  "
        "0:30 left (fit 2:56:30)");
}

TEST_CASE("a loss that is no number is shown as such", "[training]") {
  CHECK(contains(line_of({3, 51, 412, 938, 13184}, {7.2, std::nan(""), 0.1}), "  loss nan  "));
}

TEST_CASE("the mean of the epochs so far counts what they lack as nothing", "[training]") {
  EpochSeconds mean;
  CHECK(mean.whole() == 0);
  rt::Metrics first;
  first.set("train_seconds", 100);
  first.set("val_seconds", 20);
  mean.add(first);
  CHECK(mean.training == 100);
  CHECK(mean.validation == 20);
  rt::Metrics second;
  second.set("train_seconds", 50);
  mean.add(second);
  CHECK(mean.epochs == 2);
  CHECK(mean.training == 75);
  CHECK(mean.validation == 10);
  CHECK(mean.whole() == 85);
  mean.add({});
  CHECK(mean.whole() == Approx(170.0 / 3));
}

TEST_CASE("time left goes by the training rate, then by the epochs so far", "[training]") {
  const auto left = [](const ProgressState& progress, double seconds, const EpochSeconds& mean) {
    return rt::time_left(progress.state, seconds, mean).value();
  };
  // 10 s for a quarter of the batches: 40 s an epoch, of which 30 are left, and four epochs more.
  const auto first = left({1, 5, 25, 100, 800}, 10, {});
  CHECK(first.epoch == 30);
  CHECK(first.fit == 30 + 4 * 40);
  // The epoch ends with its validation, and those to come take what the others took.
  const auto third = left({3, 5, 25, 100, 800}, 10, {2, 50, 8});
  CHECK(third.epoch == 30 + 8);
  CHECK(third.fit == 38 + 2 * 58);
  const auto last = left({5, 5, 100, 100, 3200}, 44, {4, 50, 8});
  CHECK(last.epoch == 8);
  CHECK(last.fit == 8);
  CHECK(left({5, 5, 200, 100, 3200}, 44, {4, 50, 8}).epoch == 8);  // longer than it said
  CHECK_FALSE(rt::time_left(ProgressState(1, 5, 0, 100, 0).state, 1, {}).has_value());
  CHECK_FALSE(rt::time_left(ProgressState(1, 5, 7, 0, 0).state, 1, {}).has_value());
}

}  // namespace progress_line_test
