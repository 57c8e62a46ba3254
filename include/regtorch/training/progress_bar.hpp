#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <c10/util/Exception.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "regtorch/training/progress_line.hpp"
#include "regtorch/training/progress_table.hpp"
#include "regtorch/training/training_state.hpp"

namespace regtorch {

namespace detail {

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// Whether lines can be redrawn there: on a terminal that understands escape sequences.
inline bool is_terminal(std::FILE* out) {
  const std::string term = environment("TERM");
  return ::isatty(::fileno(out)) == 1 && !term.empty() && term != "dumb";
}

/// Columns of the terminal; 80 if it does not say.
inline int terminal_width(std::FILE* out) {
  winsize size = {};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Whether the environment asks for UTF-8. Of the three variables the first that is set counts.
inline bool is_utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string locale = environment(name);
    if (!locale.empty()) {
      std::transform(locale.begin(), locale.end(), locale.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
    }
  }
  return false;
}

}  // namespace detail

/// Shows how a fit goes on: a table with a line an epoch and, on a terminal, a line under it for
/// the epoch that is running.
///
///     trainer.fit(batches, validation, stopper, rt::ProgressBar());
///
///     epoch  train loss  train acc   val loss   val acc        lr  seconds     left
///      1/51      1.4992    44.97 %     1.5896   48.80 %     0.001    225.9  3:08:15
///     epoch 2/51  ########...........  412/938  163/s  loss 1.0891  2:13 left (fit 3:06:42)
///
/// The line has the loss and the accuracy of the epoch so far (means over its samples), samples a
/// second, and what is left of the epoch and of the fit. It is redrawn ten times a second at most,
/// and for an epoch's first and last batch; it fits the terminal, and goes away when the epoch or
/// the fit ends and, if something throws, with this object. Into a pipe or a file, and where TERM
/// is dumb or unset, goes the table alone, flushed after each line, without control characters.
///
/// A fit that ends before its last epoch is told in a line of its own. Other callbacks that print
/// in on_epoch_end should come after this one, which has cleared its line by then.
class ProgressBar {
 public:
  /// @param out  where to; must stay open for as long as this object lives; default stdout
  /// @throws c10::ValueError if it is null
  explicit ProgressBar(std::FILE* out = stdout) : out_(out) {
    TORCH_CHECK_VALUE(out != nullptr, "ProgressBar: wanted an open file, got a null pointer");
    terminal_ = detail::is_terminal(out);
    utf8_ = detail::is_utf8_locale();
  }
  ~ProgressBar() { write(cleared()); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// @{
  /// What Trainer::fit calls.
  void on_fit_begin(TrainingState& /*state*/) {
    write(cleared());
    table_.reset();
    seconds_ = {};
    in_epoch_ = false;
  }

  void on_epoch_begin(TrainingState& /*state*/) {
    began_ = Clock::now();
    so_far_ = {};
    samples_ = 0;
    in_epoch_ = true;
  }

  void on_batch_end(TrainingState& state) {
    count(state);
    const auto now = Clock::now();
    const bool due = now - drawn_at_ >= std::chrono::milliseconds(100);
    if (terminal_ && (due || state.batch == 1 || state.batch == state.batches)) {
      so_far_.seconds = std::chrono::duration<double>(now - began_).count();
      // The last column stays free: with a character in it some terminals begin a new line.
      const int width = detail::terminal_width(out_) - 1;
      // Draws over the old line and clears the rest, which does not flicker.
      write(std::string("\r")
                .append(progress_line(state, so_far_, seconds_, width, utf8_))
                .append("\033[K"));
      drawn_ = true;
      drawn_at_ = now;
    }
  }

  void on_epoch_end(TrainingState& state) {
    in_epoch_ = false;
    seconds_.add(state.metrics);
    std::string text = cleared();
    if (!table_.has_value()) {
      table_ =
          terminal_ ? ProgressTable(state, detail::terminal_width(out_) - 1) : ProgressTable(state);
      text.append(table_->header()).append("\n");
    }
    const auto epochs_left = state.stopping ? 0 : state.epochs - state.epoch;
    const double left = seconds_.whole() * static_cast<double>(epochs_left);
    write(text.append(table_->row(state, left)).append("\n"));
  }

  void on_fit_end(TrainingState& state) {
    std::string text = cleared();
    const auto epoch = std::to_string(state.epoch).append("/").append(std::to_string(state.epochs));
    if (in_epoch_) {
      text.append("stopped in epoch ").append(epoch);
      text.append(" after batch ").append(std::to_string(state.batch));
      if (state.batches > 0) {
        text.append("/").append(std::to_string(state.batches));
      }
      if (samples_ > 0) {
        text.append(", loss ").append(loss_text(so_far_.loss));
      }
      text.append("\n");
    } else if (table_.has_value() && state.epoch < state.epochs) {
      text.append("stopped after epoch ").append(epoch).append("\n");
    }
    in_epoch_ = false;
    write(text);
  }
  /// @}

 private:
  using Clock = std::chrono::steady_clock;

  /// Takes a batch into the means of the epoch.
  void count(const TrainingState& state) {
    const auto batch_samples = static_cast<double>(state.samples - samples_);
    samples_ = state.samples;
    if (samples_ > 0) {
      const double weight = batch_samples / static_cast<double>(samples_);
      so_far_.loss += weight * (state.metrics.at("train_loss") - so_far_.loss);
      so_far_.accuracy += weight * (state.metrics.at("train_accuracy") - so_far_.accuracy);
    }
  }

  /// What clears the line of the running epoch, if there is one.
  std::string cleared() { return std::exchange(drawn_, false) ? "\r\033[K" : ""; }

  /// Errors are passed over: a training must not end because nobody can see it.
  void write(std::string_view text) const {
    if (!text.empty()) {
      std::fwrite(text.data(), 1, text.size(), out_);
      std::fflush(out_);
    }
  }

  std::FILE* out_;
  bool terminal_ = false;
  bool utf8_ = false;
  bool drawn_ = false;  // the line of the running epoch is on the screen
  Clock::time_point drawn_at_;
  bool in_epoch_ = false;
  Clock::time_point began_;
  std::int64_t samples_ = 0;
  EpochSoFar so_far_;
  EpochSeconds seconds_;
  std::optional<ProgressTable> table_;
};

}  // namespace regtorch
