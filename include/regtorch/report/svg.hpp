#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/core/write_file.hpp"
#include "regtorch/report/svg_line_chart.hpp"
#include "regtorch/training/history.hpp"

namespace regtorch::report {

/// What write_svg draws of a history.
struct SvgOptions {
  /// Draws only the first so many epochs, at least 1; default unset: all.
  TORCH_ARG(std::optional<std::int64_t>, epochs);
  /// Marks this epoch, if it is one of those drawn; 0 marks none, as EarlyStopping::best_epoch()
  /// means it. Default unset: of those drawn, the one with the least val_loss.
  TORCH_ARG(std::optional<std::int64_t>, best_epoch);
  /// The heading; default "": none.
  TORCH_ARG(std::string, title) = "";
  /// What the legend calls train_loss; default "training loss". Another name tells the reader that
  /// it is not the validation's criterion (smoothed labels, say), and the two not to be compared.
  TORCH_ARG(std::string, train_loss_name) = "training loss";
};

namespace detail {

/// One metric of epochs; NaN, which leaves a gap, where an epoch lacks it.
inline Curve loss_curve(const std::vector<History::Epoch>& epochs, const char* metric,
                        const std::string& name) {
  Curve curve{name, {}, {}};
  for (const auto& epoch : epochs) {
    curve.xs.push_back(static_cast<double>(epoch.epoch));
    curve.ys.push_back(epoch.metrics.contains(metric) ? epoch.metrics.at(metric)
                                                      : std::numeric_limits<double>::quiet_NaN());
  }
  return curve;
}

inline bool has_metric(const std::vector<History::Epoch>& epochs, const char* metric) {
  return std::any_of(epochs.begin(), epochs.end(),
                     [&](const auto& epoch) { return epoch.metrics.contains(metric); });
}

/// The place of the least value that is drawn, the first of equals; size() if there is none.
inline std::size_t least(const std::vector<double>& values) {
  std::size_t best = values.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (drawable(values[i]) && (best == values.size() || values[i] < values[best])) {
      best = i;
    }
  }
  return best;
}

/// "0.6143": four digits are what a reader can use.
inline std::string four_digits(double value) {
  std::array<char, 32> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4)
          .ptr;
  std::string digits(text.data(), end);
  std::erase(digits, '+');  // "1e12", as on the axis
  return digits;
}

}  // namespace detail

/// Draws training and validation loss over the epochs into an SVG file, with the best epoch marked.
///
/// The metrics are train_loss and val_loss; a history without one of them gives the other's curve,
/// and one without epochs an empty chart that says so. Values that are not finite leave gaps. The
/// file is replaced as a whole or not at all.
///
///     write_svg(history, "loss.svg");
///     write_svg(history, "loss_15.svg", SvgOptions().epochs(15));
///
/// @param history  what Trainer::fit returned
/// @param path     the file
/// @param options  see SvgOptions
/// @throws c10::ValueError if there are epochs but neither metric, or epochs is below 1, or the
///         history has no epoch best_epoch; c10::Error naming the file if it cannot be written
inline void write_svg(const History& history, const std::filesystem::path& path,
                      const SvgOptions& options = {}) {
  const auto& all = history.epochs;
  const auto wanted = options.epochs().value_or(std::numeric_limits<std::int64_t>::max());
  TORCH_CHECK_VALUE(wanted >= 1, "write_svg: wanted at least 1 epoch, got epochs(", wanted, ")");
  const auto best_epoch = options.best_epoch();
  TORCH_CHECK_VALUE(best_epoch.value_or(0) == 0 ||
                        std::any_of(all.begin(), all.end(),
                                    [&](const auto& e) { return e.epoch == *best_epoch; }),
                    "write_svg: wanted a best_epoch that is 0 or one of the history's ", all.size(),
                    " epochs, got ", best_epoch.value_or(0));
  const auto count = std::min(wanted, static_cast<std::int64_t>(all.size()));
  const std::vector<History::Epoch> epochs(all.begin(), all.begin() + count);

  std::vector<Curve> curves;
  const auto add = [&](const char* metric, const std::string& name) {
    if (detail::has_metric(epochs, metric)) {
      curves.push_back(detail::loss_curve(epochs, metric, name));
    }
  };
  add("train_loss", options.train_loss_name());
  add("val_loss", "validation loss");
  if (curves.empty() && !epochs.empty()) {
    std::string known;
    for (const auto& [name, value] : epochs.front().metrics) {
      known += (known.empty() ? "" : ", ") + name;
    }
    TORCH_CHECK_VALUE(false, "write_svg: wanted train_loss or val_loss, got [", known, "]");
  }

  std::size_t best = epochs.size();
  if (best_epoch.has_value()) {
    const auto found = std::find_if(epochs.begin(), epochs.end(),
                                    [&](const auto& e) { return e.epoch == *best_epoch; });
    best = static_cast<std::size_t>(found - epochs.begin());
  } else if (detail::has_metric(epochs, "val_loss")) {
    best = detail::least(curves.back().ys);
  }
  std::optional<ChartMark> mark;
  if (best < epochs.size()) {
    mark = ChartMark{curves.size() - 1, best, "best: epoch " + std::to_string(epochs[best].epoch)};
    const double value = curves.back().ys[best];
    if (detail::drawable(value)) {
      mark->note += ", " + curves.back().name + " " + detail::four_digits(value);
    }
  }
  write_file(path, svg_line_chart(curves, {options.title(), "epoch", "loss"}, mark));
}

}  // namespace regtorch::report
