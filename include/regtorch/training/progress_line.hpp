#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "regtorch/training/progress_text.hpp"
#include "regtorch/training/training_state.hpp"

namespace regtorch {

/// What the training of an epoch has come to so far.
struct EpochSoFar {
  double seconds = 0;   ///< since it began
  double loss = 0;      ///< of its samples so far, the mean
  double accuracy = 0;  ///< the same, in [0, 1]
};

/// What the epochs that are done took, on average; all 0 before the first.
struct EpochSeconds {
  std::int64_t epochs = 0;  ///< how many are done
  double training = 0;      ///< of one
  double validation = 0;    ///< of one

  /// Of an epoch with its validation.
  double whole() const { return training + validation; }

  /// Counts an epoch in, by its train_seconds and val_seconds; one it lacks took no time.
  void add(const Metrics& metrics) {
    ++epochs;
    const auto move = [&](double& mean, const char* name) {
      const double seconds = metrics.contains(name) ? metrics.at(name) : 0;
      mean += (seconds - mean) / static_cast<double>(epochs);
    };
    move(training, "train_seconds");
    move(validation, "val_seconds");
  }
};

/// Seconds until the epoch ends, its validation included, and until the fit does.
struct TimeLeft {
  double epoch;  ///< until it ends
  double fit;    ///< until it ends
};

/// The epoch's training goes on at its rate so far; validation, and each epoch to come, takes as
/// long as it did on average. Before the first epoch is done an epoch is its training alone.
///
/// @return nothing while no batch is done, or if their number is not known
inline std::optional<TimeLeft> time_left(const TrainingState& state, double seconds,
                                         const EpochSeconds& mean) {
  if (state.batch < 1 || state.batches < 1) {
    return std::nullopt;
  }
  const double training =
      seconds * static_cast<double>(state.batches) / static_cast<double>(state.batch);
  const double epoch = std::max(training - seconds, 0.0) + mean.validation;
  const double next = mean.epochs > 0 ? mean.whole() : training;
  return TimeLeft{epoch, epoch + next * static_cast<double>(state.epochs - state.epoch)};
}

namespace detail {

/// "###.....", or the same in blocks.
inline std::string bar_text(double fraction, int cells, bool utf8) {
  const int full = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * cells);
  std::string text;
  for (int i = 0; i < cells; ++i) {
    text += i < full ? (utf8 ? "\u2588" : "#") : (utf8 ? "\u2591" : ".");
  }
  return text;
}

/// From left to right. The space between two parts belongs to the right one.
enum class LinePlace { kWord, kEpoch, kBar, kBatch, kRate, kLoss, kAccuracy, kLeft, kFitLeft };

struct LinePart {
  LinePlace place;
  int columns;
  std::string text;
};

inline constexpr int kLeastBar = 8;
inline constexpr int kMostBar = 30;

/// The most important first. The bar has its least size and no text yet.
inline std::vector<LinePart> line_parts(const TrainingState& state, const EpochSoFar& so_far,
                                        const EpochSeconds& mean) {
  std::vector<LinePart> parts;
  const auto add = [&](LinePlace place, const char* before, const std::string& text) {
    parts.push_back({place, 0, std::string(before).append(text)});
    parts.back().columns = static_cast<int>(parts.back().text.size());
  };
  const bool counted = state.batches > 0;
  const bool trained = counted && state.batch >= state.batches;
  const auto left = time_left(state, so_far.seconds, mean);
  const auto batches = std::to_string(state.batches);

  add(LinePlace::kEpoch, "",
      std::to_string(state.epoch).append("/").append(std::to_string(state.epochs)));
  if (counted) {
    add(LinePlace::kBatch, "  ",
        padded(std::to_string(state.batch), batches.size()).append("/").append(batches));
  } else {
    add(LinePlace::kBatch, "  batch ", std::to_string(state.batch));
  }
  // After the last batch nothing calls until validation is done: a time would seem to stand still.
  if (trained) {
    add(LinePlace::kLeft, "  ", "validating");
  } else if (left.has_value()) {
    add(LinePlace::kLeft, "  ", duration_text(left->epoch).append(" left"));
  }
  if (state.samples > 0) {
    add(LinePlace::kLoss, "  loss ", loss_text(so_far.loss));
  }
  add(LinePlace::kWord, "", "epoch ");
  if (counted) {
    parts.push_back({LinePlace::kBar, 2 + kLeastBar, ""});
  }
  if (state.samples > 0 && so_far.seconds > 0) {
    add(LinePlace::kRate, "  ", rate_text(static_cast<double>(state.samples) / so_far.seconds));
  }
  if (left.has_value() && !trained) {
    add(LinePlace::kFitLeft, " (fit ", duration_text(left->fit).append(")"));
  }
  if (state.samples > 0) {
    add(LinePlace::kAccuracy, "  acc ", accuracy_text(so_far.accuracy));
  }
  return parts;
}

}  // namespace detail

/// The line that shows a running epoch: "epoch 3/51  ######.......  412/938  1,834/s  loss 0.7912
/// acc 72.31 %  0:41 left (fit 1:52:10)". After the last batch it says "validating" for a time.
///
/// Where there is no room for all, these are left out, the first first: accuracy, time left of the
/// fit, rate, bar, the word epoch, loss, time left, batches. If `batches` is 0 there is no bar and
/// no time.
///
/// @param state   epoch, epochs, batch, batches and samples are shown
/// @param so_far  the epoch's time, loss and accuracy
/// @param mean    what the epochs before it took
/// @param width   how many columns it may have; the bar has 8 to 30 of them
/// @param utf8    a bar of Unicode's blocks, for terminals that show them; else the line is ASCII
inline std::string progress_line(const TrainingState& state, const EpochSoFar& so_far,
                                 const EpochSeconds& mean, int width, bool utf8) {
  const auto parts = parts_that_fit(detail::line_parts(state, so_far, mean), width);
  int free = width;
  for (const auto& part : parts) {
    free -= part.columns;
  }
  std::string line;
  for (const auto& part : parts) {
    if (part.place == detail::LinePlace::kBar) {
      const int cells = std::min(detail::kLeastBar + free, detail::kMostBar);
      const double fraction = static_cast<double>(state.batch) / static_cast<double>(state.batches);
      line.append("  ").append(detail::bar_text(fraction, cells, utf8));
    } else {
      line += part.text;
    }
  }
  return line;
}

}  // namespace regtorch
