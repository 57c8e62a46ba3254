#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "regtorch/training/progress_text.hpp"
#include "regtorch/training/training_state.hpp"

namespace regtorch {

/// The table of a fit: a line an epoch.
///
///     epoch  train loss  train acc   val loss   val acc        lr  seconds     left
///      3/51      0.7790    72.77 %     0.7788   72.75 %     0.001    213.8  2:57:01
///
/// It has the columns of which the first epoch has the metric. Where they don't all fit, these are
/// left out, the first first: lr, seconds, left, train acc, val acc, val loss, train loss.
class ProgressTable {
 public:
  /// @param first  the state at the end of the first epoch that is shown
  /// @param width  how many columns of text a line may have; default: any number
  explicit ProgressTable(const TrainingState& first, int width = std::numeric_limits<int>::max())
      : epoch_columns_(std::max<std::size_t>(5, 2 * std::to_string(first.epochs).size() + 1)) {
    const Metrics values = values_of(first, 0);
    std::vector<Column> columns;
    for (const Column& column : all_columns()) {
      if (values.contains(column.metric)) {
        columns.push_back(column);
      }
    }
    columns_ = parts_that_fit(columns, width - static_cast<int>(epoch_columns_));
  }

  /// The titles.
  std::string header() const {
    std::string line = detail::padded("epoch", epoch_columns_);
    for (const Column& column : columns_) {
      line += detail::padded(column.title, static_cast<std::size_t>(column.columns));
    }
    return line;
  }

  /// An epoch; "-" for a metric it lacks.
  /// @param state         as in on_epoch_end
  /// @param seconds_left  until the fit ends
  std::string row(const TrainingState& state, double seconds_left) const {
    const Metrics values = values_of(state, seconds_left);
    std::string line =
        detail::padded(std::to_string(state.epoch).append("/").append(std::to_string(state.epochs)),
                       epoch_columns_);
    for (const Column& column : columns_) {
      line += detail::padded(
          values.contains(column.metric) ? column.text(values.at(column.metric)) : "-",
          static_cast<std::size_t>(column.columns));
    }
    return line;
  }

 private:
  struct Column {
    int place;
    int columns;  // with the space on the left
    const char* title;
    const char* metric;
    std::string (*text)(double);
  };

  /// The most important first.
  static std::vector<Column> all_columns() {
    return {{0, 12, "train loss", "train_loss", loss_text},
            {2, 11, "val loss", "val_loss", loss_text},
            {3, 10, "val acc", "val_accuracy", accuracy_text},
            {1, 11, "train acc", "train_accuracy", accuracy_text},
            {6, 9, "left", "left", duration_text},
            {5, 9, "seconds", "seconds", seconds_text},
            {4, 10, "lr", "lr", lr_text}};
  }
  static std::string lr_text(double lr) {
    return detail::number_text(lr, std::chars_format::general, 3);
  }
  static std::string seconds_text(double seconds) {
    return detail::number_text(seconds, std::chars_format::fixed, 1);
  }

  /// The epoch's metrics and the two that the table makes of them.
  static Metrics values_of(const TrainingState& state, double seconds_left) {
    Metrics values = state.metrics;
    const auto seconds = [&](const char* name) {
      return values.contains(name) ? values.at(name) : 0;
    };
    values.set("seconds", seconds("train_seconds") + seconds("val_seconds"));
    values.set("left", seconds_left);
    return values;
  }

  std::size_t epoch_columns_;
  std::vector<Column> columns_;
};

}  // namespace regtorch
