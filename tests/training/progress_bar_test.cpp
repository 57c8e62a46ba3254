#include "regtorch/training/progress_bar.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "catch.hpp"
#include "progress_state.hpp"
#include "regtorch/training/callback.hpp"

namespace progress_bar_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::ProgressState;
using rt::ProgressBar;

namespace {

/// An environment variable, as it was again at the end of the scope; nullptr: unset.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) {
      before_ = before;
    }
    set(value);
  }
  ~Variable() { set(before_.has_value() ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) const {
    value != nullptr ? ::setenv(name_, value, 1) : ::unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> before_;
};

/// What a bar of three batches an epoch is called with: hooks, with a state filled by hand.
template <class Out>
struct Fit {
  Out& out;
  ProgressState progress;

  Fit(Out& to, std::int64_t epochs, std::int64_t batches = 3) : out(to), progress(0, epochs) {
    progress.state.batches = batches;
  }

  void begin(ProgressBar& bar) {
    bar.on_fit_begin(progress.state);
    out.update();
  }
  void begin_epoch(ProgressBar& bar) {
    ++progress.state.epoch;
    progress.state.batch = 0;
    progress.state.samples = 0;
    progress.state.metrics = {};
    bar.on_epoch_begin(progress.state);
    out.update();
  }
  void end_batch(ProgressBar& bar, double loss, double accuracy, std::int64_t samples = 32) {
    ++progress.state.batch;
    progress.state.samples += samples;
    progress.with_epoch(loss, accuracy);
    bar.on_batch_end(progress.state);
    out.update();
  }
  void end_epoch(ProgressBar& bar) {
    progress.with_epoch(0.5, 0.75, 0.625, 0.5);
    bar.on_epoch_end(progress.state);
    out.update();
  }
  void end(ProgressBar& bar) {
    bar.on_fit_end(progress.state);
    out.update();
  }
  void epoch(ProgressBar& bar) {
    begin_epoch(bar);
    for (int i = 0; i < 3; ++i) {
      end_batch(bar, 0.5, 0.75);
    }
    end_epoch(bar);
  }
};

/// A file instead of a terminal.
struct File {
  std::FILE* file = std::tmpfile();
  File() { REQUIRE(file != nullptr); }
  ~File() { std::fclose(file); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  void update() {}
  /// What others see of it: what was flushed.
  std::string contents() const {
    std::string text;
    std::array<char, 256> part;
    for (off_t at = 0;;) {
      const auto count = ::pread(::fileno(file), part.data(), part.size(), at);
      if (count <= 0) {
        return text;
      }
      text.append(part.data(), static_cast<std::size_t>(count));
      at += count;
    }
  }
};

/// A terminal that is not real: what is written to file() is read at the other end and shown as a
/// terminal of `width` columns shows it, which knows \r, \n, ESC [ K and UTF-8.
class Terminal {
 public:
  explicit Terminal(int width) {
    int slave = -1;
    REQUIRE(::openpty(&master_, &slave, nullptr, nullptr, nullptr) == 0);
    file_ = ::fdopen(slave, "w");
    resize(width);
  }
  ~Terminal() {
    std::fclose(file_);
    ::close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::FILE* file() { return file_; }
  void resize(int width) {
    winsize size = {};
    size.ws_col = static_cast<unsigned short>(width);
    REQUIRE(::ioctl(::fileno(file_), TIOCSWINSZ, &size) == 0);
    width_ = width;
  }

  /// Shows what was written since the last time. A mark of our own tells where that ends: how soon
  /// it is there to be read is the kernel's affair.
  void update() {
    REQUIRE(::write(::fileno(file_), "\x01", 1) == 1);
    std::string text;
    for (char c = 0; ::read(master_, &c, 1) == 1 && c != '\x01';) {
      text += c;
    }
    show(text);
    writes_ += text.empty() ? 0 : 1;
    raw_ += text;
  }

  /// The lines of the screen without the spaces at their ends; the cursor is in the last one.
  std::vector<std::string> lines() const {
    std::vector<std::string> texts;
    for (const auto& line : screen_) {
      std::string text;
      for (const auto& cell : line) {
        text += cell;
      }
      texts.push_back(text.substr(0, text.find_last_not_of(' ') + 1));
    }
    return texts;
  }
  std::string last() const { return lines().back(); }
  std::size_t column() const { return column_; }
  std::size_t widest() const { return widest_; }
  int writes() const { return writes_; }
  const std::string& raw() const { return raw_; }

 private:
  void show(const std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto& line = screen_.back();
      if (text[i] == '\r') {
        column_ = 0;
      } else if (text[i] == '\n') {
        screen_.emplace_back();
      } else if (text.compare(i, 3, "\033[K") == 0) {
        line.resize(std::min(line.size(), column_));
        i += 2;
      } else if ((text[i] & 0xC0) == 0x80) {
        line[column_ - 1] += text[i];
      } else {
        REQUIRE(static_cast<unsigned char>(text[i]) >= 0x20);
        if (width_ > 0 && column_ == static_cast<std::size_t>(width_)) {
          screen_.emplace_back();
          column_ = 0;
        }
        auto& here = screen_.back();
        here.resize(std::max(here.size(), column_ + 1), " ");
        here[column_++] = std::string(1, text[i]);
        widest_ = std::max(widest_, column_);
      }
    }
  }

  int master_ = -1;
  std::FILE* file_ = nullptr;
  int width_ = 0;
  std::vector<std::vector<std::string>> screen_{1};
  std::size_t column_ = 0;
  std::size_t widest_ = 0;
  int writes_ = 0;
  std::string raw_;
};

/// The environment of a terminal in which tests don't depend on ours.
struct Environment {
  Variable term{"TERM", "xterm"};
  Variable lc_all{"LC_ALL", nullptr};
  Variable lc_ctype{"LC_CTYPE", nullptr};
  Variable lang{"LANG", "C"};
};

const std::string kHeader =
    "epoch  train loss  train acc   val loss   val acc        lr  seconds     left\n";
const std::string kFirst =
    "  1/3      0.5000    75.00 %     0.6250   50.00 %     0.001    213.8     7:08\n";
const std::string kSecond =
    "  2/3      0.5000    75.00 %     0.6250   50.00 %     0.001    213.8     3:34\n";
const std::string kThird =
    "  3/3      0.5000    75.00 %     0.6250   50.00 %     0.001    213.8     0:00\n";

/// The lines of the table as a screen shows them, the cursor below.
std::vector<std::string> screen(const std::string& text) {
  std::vector<std::string> lines{""};
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  return lines;
}

}  // namespace

TEST_CASE("a file gets a line an epoch, as soon as it is over", "[training]") {
  rt::check_callback<ProgressBar>();
  File file;
  ProgressBar bar(file.file);
  Fit<File> fit(file, 3);
  fit.begin(bar);
  fit.begin_epoch(bar);
  fit.end_batch(bar, 0.5, 0.5);
  CHECK(file.contents().empty());
  fit.end_epoch(bar);
  CHECK(file.contents() == kHeader + kFirst);
  fit.epoch(bar);
  CHECK(file.contents() == kHeader + kFirst + kSecond);
  fit.epoch(bar);
  fit.end(bar);
  CHECK(file.contents() == kHeader + kFirst + kSecond + kThird);
}

TEST_CASE("time left goes by the epochs of this fit, and a stopped fit has none", "[training]") {
  File file;
  ProgressBar bar(file.file);
  for (int twice = 0; twice < 2; ++twice) {
    Fit<File> fit(file, 60);
    fit.progress.state.epoch = 49;  // resumed
    fit.begin(bar);
    fit.begin_epoch(bar);
    fit.end_epoch(bar);  // 213.75 s
    fit.begin_epoch(bar);
    fit.progress.with_epoch(0.5, 0.75);  // 183.75 s
    bar.on_epoch_end(fit.progress.state);
    fit.begin_epoch(bar);
    fit.progress.state.stopping = true;
    fit.end_epoch(bar);
    fit.end(bar);
  }
  const std::string text = kHeader +
                           "50/60      0.5000    75.00 %     0.6250   50.00 %     0.001    213.8"
                           "    35:38\n"  // 10 x 213.75
                           "51/60      0.5000    75.00 %          -         -     0.001    183.8"
                           "    29:49\n"  // 9 x 198.75
                           "52/60      0.5000    75.00 %     0.6250   50.00 %     0.001    213.8"
                           "     0:00\n"
                           "stopped after epoch 52/60\n";
  CHECK(file.contents() == text + text);  // a second fit knows nothing of the first
}

TEST_CASE("a fit that is stopped in an epoch says where", "[training]") {
  File file;
  ProgressBar bar(file.file);
  Fit<File> fit(file, 3);
  fit.begin(bar);
  fit.epoch(bar);
  fit.begin_epoch(bar);
  fit.end_batch(bar, 1, 0.5, 30);
  fit.end_batch(bar, 2, 0.5, 10);
  fit.progress.state.stopping = true;
  fit.end(bar);
  CHECK(file.contents() ==
        kHeader + kFirst + "stopped in epoch 2/3 after batch 2/3, loss 1.2500\n");
  Fit<File> unknown(file, 3, 0);
  unknown.begin(bar);
  unknown.begin_epoch(bar);
  unknown.end_batch(bar, 1, 0.5);
  unknown.end(bar);
  unknown.end(bar);  // and says it once
  CHECK(contains(file.contents(), "1.2500\nstopped in epoch 1/3 after batch 1, loss 1.0000\n"));
  Fit<File> none(file, 0);
  none.begin(bar);
  none.end(bar);
  Fit<File> complete(file, 3);  // resumed when all was done
  complete.progress.state.epoch = 3;
  complete.begin(bar);
  complete.end(bar);
  Fit<File> no_batch(file, 9);
  no_batch.begin(bar);
  no_batch.begin_epoch(bar);
  no_batch.end(bar);
  CHECK(contains(file.contents(), "loss 1.0000\nstopped in epoch 1/9 after batch 0/3\n"));
}

TEST_CASE("a terminal shows the epoch that is running under the table", "[training]") {
  const Environment environment;
  Terminal terminal(80);
  ProgressBar bar(terminal.file());
  Fit<Terminal> fit(terminal, 3);
  fit.begin(bar);
  fit.begin_epoch(bar);
  CHECK(terminal.raw().empty());
  fit.end_batch(bar, 1, 0.5, 30);
  CHECK(terminal.last().substr(0, 14) == "epoch 1/3  ###");
  CHECK(contains(terminal.last(), "..  1/3  "));
  CHECK(contains(terminal.last(), "/s  loss 1.0000  "));
  CHECK(contains(terminal.last(), " left (fit "));
  fit.end_batch(bar, 3, 0.5, 10);
  fit.end_batch(bar, 2, 0.25, 40);
  CHECK(terminal.lines().size() == 1);
  CHECK(contains(terminal.last(), "#  3/3  "));
  // The mean over 80 samples: (30 * 1 + 10 * 3 + 40 * 2) / 80, and for the accuracy 30 / 80.
  CHECK(contains(terminal.last(), "  loss 1.7500  acc 37.50 %  validating"));
  fit.end_epoch(bar);
  CHECK(terminal.lines() == screen(kHeader + kFirst));
  fit.begin_epoch(bar);
  fit.end_batch(bar, 7, 0.5);
  CHECK(terminal.lines().size() == 3);
  CHECK(contains(terminal.last(), "epoch 2/3  "));
  CHECK(contains(terminal.last(), "  loss 7.0000  "));  // a new epoch, a new mean
  // Validation, and an epoch of 213.75 s; and a little, for what is left of the training.
  CHECK(contains(terminal.last(), "  0:3"));
  CHECK(contains(terminal.last(), " left (fit 4:"));
  fit.end_batch(bar, 7, 0.5);
  fit.end_batch(bar, 7, 0.5);
  fit.end_epoch(bar);
  fit.epoch(bar);
  fit.end(bar);
  CHECK(terminal.lines() == screen(kHeader + kFirst + kSecond + kThird));
  CHECK(terminal.column() == 0);
  CHECK(terminal.widest() <= 79);
}

TEST_CASE("redraws follow the width and never wrap", "[training]") {
  const Environment environment;
  Terminal terminal(100);
  ProgressBar bar(terminal.file());
  Fit<Terminal> fit(terminal, 51, 1);  // each batch counts as the last: all are drawn
  fit.begin(bar);
  fit.begin_epoch(bar);
  const auto drawn_at = [&](int width) {
    terminal.resize(width);
    fit.progress.state.batch = 0;
    fit.end_batch(bar, 0.5, 0.5);
    CHECK(terminal.lines().size() == 1);
    return terminal.last();
  };
  const std::string whole = drawn_at(100);
  CHECK(contains(whole, "  acc 50.00 %  validating"));
  CHECK(whole.size() < 100);
  CHECK(drawn_at(60).size() < 60);
  CHECK(drawn_at(60).substr(0, 14) == "epoch 1/51  ##");
  CHECK(drawn_at(40) == "1/51  1/1  loss 0.5000  validating");
  CHECK(drawn_at(30) == "epoch 1/51  1/1  validating");
  CHECK(drawn_at(20) == "epoch 1/51  1/1");
  CHECK(drawn_at(5) == "1/51");
  CHECK(drawn_at(4).empty());
  CHECK(drawn_at(1).empty());
  CHECK(drawn_at(100).size() < 100);
  const std::string unknown = drawn_at(0);  // as 80 columns
  CHECK(contains(unknown, "loss 0.5000"));
  CHECK(unknown.size() < 80);
  CHECK(unknown.size() >= drawn_at(70).size());
}

TEST_CASE("the table is as wide as the terminal when it begins", "[training]") {
  const Environment environment;
  for (const auto& [width, header] : std::vector<std::pair<int, std::string>>{
           {78, kHeader},
           {77, "epoch  train loss  train acc   val loss   val acc  seconds     left\n"},
           {60, "epoch  train loss  train acc   val loss   val acc     left\n"},
           {30, "epoch  train loss   val loss\n"},
           {20, "epoch  train loss\n"}}) {
    Terminal terminal(width);
    ProgressBar bar(terminal.file());
    Fit<Terminal> fit(terminal, 3);
    fit.begin(bar);
    fit.epoch(bar);
    fit.epoch(bar);
    CHECK(terminal.lines().size() == 4);
    CHECK(terminal.lines().front() + "\n" == header);
    CHECK(terminal.widest() < static_cast<std::size_t>(width));
  }
}

TEST_CASE("at most ten redraws a second, and the first and the last batch", "[training]") {
  const Environment environment;
  Terminal terminal(80);
  ProgressBar bar(terminal.file());
  Fit<Terminal> fit(terminal, 3, 500);
  fit.begin(bar);
  const auto start = std::chrono::steady_clock::now();
  fit.begin_epoch(bar);
  for (int i = 0; i < 500; ++i) {
    fit.end_batch(bar, 0.5, 0.5);
    if (i == 0) {
      CHECK(contains(terminal.last(), "  1/500"));
    }
  }
  CHECK(contains(terminal.last(), "500/500"));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  CHECK(terminal.writes() <= 2 + 10 * seconds.count());  // however long that took
  fit.end_epoch(bar);
  fit.begin_epoch(bar);
  fit.end_batch(bar, 0.5, 0.5);
  std::this_thread::sleep_for(std::chrono::milliseconds(101));
  fit.end_batch(bar, 0.5, 0.5);
  CHECK(contains(terminal.last(), "  2/500"));
}

TEST_CASE("without the number of batches a terminal shows their count", "[training]") {
  const Environment environment;
  Terminal terminal(80);
  ProgressBar bar(terminal.file());
  Fit<Terminal> fit(terminal, 3, 0);
  fit.begin(bar);
  fit.begin_epoch(bar);
  fit.end_batch(bar, 0.5, 0.5);
  CHECK(contains(terminal.last(), "epoch 1/3  batch 1  "));
  CHECK(contains(terminal.last(), "/s  loss 0.5000  acc 50.00 %"));
  CHECK_FALSE(contains(terminal.last(), "left"));
}

TEST_CASE("however a fit ends, the terminal is clean", "[training]") {
  const Environment environment;
  Terminal terminal(80);
  Fit<Terminal> fit(terminal, 3);
  {
    ProgressBar bar(terminal.file());
    fit.begin(bar);
    fit.begin_epoch(bar);
    fit.end_batch(bar, 0.5, 0.5);
    fit.end(bar);
    CHECK(terminal.lines() == screen("stopped in epoch 1/3 after batch 1/3, loss 0.5000\n"));
    fit.begin_epoch(bar);
    fit.end_batch(bar, 0.5, 0.5);
    fit.begin(bar);  // after an exception: another fit with the same object
    CHECK(terminal.last().empty());
  }
  const auto raw = terminal.raw();
  terminal.update();
  CHECK(terminal.raw() == raw);  // nothing to clear
  try {
    ProgressBar bar(terminal.file());
    fit.begin(bar);
    fit.begin_epoch(bar);
    fit.end_batch(bar, 0.5, 0.5);
    CHECK_FALSE(terminal.last().empty());
    throw std::runtime_error("the loss is not finite");
  } catch (const std::runtime_error&) {
    terminal.update();
    CHECK(terminal.last().empty());
    CHECK(terminal.column() == 0);
  }
}

TEST_CASE("a terminal that cannot redraw is treated as a file", "[training]") {
  const Environment environment;
  for (const char* term : std::vector<const char*>{"dumb", "", nullptr}) {
    const Variable variable("TERM", term);
    Terminal terminal(30);
    ProgressBar bar(terminal.file());
    Fit<Terminal> fit(terminal, 3);
    fit.begin(bar);
    fit.epoch(bar);
    std::string raw = terminal.raw();
    raw.erase(std::remove(raw.begin(), raw.end(), '\r'), raw.end());  // the kernel's, before \n
    CHECK(raw == kHeader + kFirst);
  }
}

TEST_CASE("the bar is of blocks where the locale is UTF-8", "[training]") {
  const Environment environment;
  const auto blocks = [](const char* lc_all, const char* lc_ctype, const char* lang) {
    const Variable a("LC_ALL", lc_all);
    const Variable b("LC_CTYPE", lc_ctype);
    const Variable c("LANG", lang);
    Terminal terminal(80);
    ProgressBar bar(terminal.file());
    Fit<Terminal> fit(terminal, 3);
    fit.begin(bar);
    fit.begin_epoch(bar);
    fit.end_batch(bar, 0.5, 0.5);
    CHECK(terminal.widest() < 80);
    CHECK(contains(terminal.last(), "█░") != contains(terminal.last(), "#."));
    return contains(terminal.last(), "█░");
  };
  CHECK_FALSE(blocks(nullptr, nullptr, nullptr));
  CHECK(blocks(nullptr, nullptr, "en_GB.UTF-8"));
  CHECK(blocks(nullptr, nullptr, "C.utf8"));
  CHECK_FALSE(blocks(nullptr, nullptr, "de_DE.ISO-8859-1"));
  CHECK(blocks(nullptr, "C.UTF-8", "C"));
  CHECK_FALSE(blocks(nullptr, "C", "C.UTF-8"));
  CHECK(blocks("C.UTF-8", "C", "C"));
  CHECK_FALSE(blocks("C", "C.UTF-8", "C.UTF-8"));
  CHECK(blocks("", "", "C.UTF-8"));  // empty is unset
}

TEST_CASE("a bar without a file is refused", "[training]") {
  CHECK(contains(error_of([] { ProgressBar bar(nullptr); }), "wanted an open file"));
}

}  // namespace progress_bar_test
