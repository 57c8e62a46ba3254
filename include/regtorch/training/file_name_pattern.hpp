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
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>

#include "regtorch/core/metrics.hpp"
#include "regtorch/report/number.hpp"

namespace regtorch::detail {

/// A path whose file name is made of an epoch's number and its metrics:
/// "runs/cnn-{epoch:03}-{val_loss:.4f}.pt".
///
///     placeholder = "{" name [":" format] "}"     name: epoch, or a metric's
///     format      = ["0"] [width] ["." precision] type
///
/// as in Python: the type is d for the epoch, and may be left out there; f, e or g for a metric,
/// which without a format is as short as it can be and still reads back exactly. "{{" and "}}"
/// stand for braces. Numbers do not depend on the locale.
class FileNamePattern {
 public:
  /// @throws c10::ValueError naming the pattern and the character (from 1) if a brace has no
  ///         partner, a name is empty, a format is unknown, a placeholder stands in a folder's
  ///         name, there is no file name or a zero byte
  explicit FileNamePattern(std::string pattern) : pattern_(std::move(pattern)) {
    // Said first, since it ends the message too.
    TORCH_CHECK_VALUE(pattern_.find('\0') == std::string::npos,
                      "file name pattern: wanted no zero byte, with which the system ends paths, "
                      "got '",
                      pattern_, "'");
    std::string literal;
    for (std::size_t i = 0; i < pattern_.size(); ++i) {
      const char c = pattern_[i];
      if ((c == '{' || c == '}') && i + 1 < pattern_.size() && pattern_[i + 1] == c) {
        literal += c;
        ++i;
      } else if (c == '{') {
        const std::size_t end = std::min(pattern_.find_first_of("{}", i + 1), pattern_.size());
        check(end < pattern_.size() && pattern_[end] == '}', i,
              "wanted a closing brace to this one ({{ stands for a brace)");
        placeholders_.push_back(parse(i + 1, end));
        placeholders_.back().before = std::exchange(literal, "");
        i = end;
      } else {
        check(c != '}', i, "wanted an opening brace to this one (}} stands for a brace)");
        literal += c;
        if (c == '/') {
          check(placeholders_.empty(), i, "wanted placeholders in the file name, got one before");
          folder_ += std::exchange(literal, "");
        }
      }
    }
    check(!placeholders_.empty() || !literal.empty(), pattern_.size(), "wanted a file name");
    const std::size_t dot = std::min(literal.rfind('.'), literal.size());
    end_ = literal.substr(0, dot);
    extension_ = literal.substr(dot);
  }

  /// Whether there is but one name.
  bool is_fixed() const { return placeholders_.empty(); }
  /// Whether the name says which epoch it is.
  bool has_epoch() const {
    return std::any_of(placeholders_.begin(), placeholders_.end(), is_epoch);
  }

  /// "." if the pattern names none.
  std::filesystem::path folder() const {
    return folder_.empty() ? "." : std::filesystem::path(folder_).parent_path();
  }

  /// The path for an epoch; with a `version` other than 0, "-v<version>" before the extension.
  /// @throws c10::ValueError for a metric that does not exist; the message lists those that do
  std::filesystem::path path(std::int64_t epoch, const Metrics& metrics, int version = 0) const {
    return make_path(
        epoch, [&](const std::string& name) { return metrics.at(name); }, version);
  }
  /// As long as a path gets in a fit of so many epochs, and the hundredth of its name.
  std::filesystem::path longest(std::int64_t epochs) const {
    // The double with the longest text, but with none before the point where the format is f.
    const auto value = [](const auto&) { return -std::numeric_limits<double>::min(); };
    return make_path(epochs, value, is_fixed() ? 0 : 100);
  }

  const std::string& text() const { return pattern_; }

 private:
  struct Placeholder {
    std::string before;  ///< the text between the last one and this one
    std::string name;
    bool zeros = false;  ///< fills up to the width
    int width = 0;
    std::optional<int> precision;
    char type = '\0';  ///< '\0': as short as exact
  };

  static bool is_epoch(const Placeholder& placeholder) { return placeholder.name == "epoch"; }

  void check(bool good, std::size_t at, const char* what) const {
    TORCH_CHECK_VALUE(good, "file name pattern '", pattern_, "', character ", at + 1, ": ", what);
  }

  /// What stands between braces, in [begin, end).
  Placeholder parse(std::size_t begin, std::size_t end) const {
    Placeholder result;
    std::string_view rest = std::string_view(pattern_).substr(begin, end - begin);
    const auto take = [&](char wanted) {
      const bool found = !rest.empty() && rest.front() == wanted;
      rest.remove_prefix(found ? 1 : 0);
      return found;
    };
    const auto take_number = [&]() -> std::optional<int> {  // two digits fill any file name
      unsigned number = 0;                                  // so that no sign is read
      const auto stop = rest.data() + std::min<std::size_t>(rest.size(), 2);
      const auto [next, error] = std::from_chars(rest.data(), stop, number);
      if (error != std::errc()) {
        return std::nullopt;
      }
      rest.remove_prefix(static_cast<std::size_t>(next - rest.data()));
      return static_cast<int>(number);
    };

    result.name = rest.substr(0, rest.find(':'));
    check(!result.name.empty(), begin, "wanted epoch or a metric's name");
    rest.remove_prefix(result.name.size());
    if (!take(':')) {
      return result;
    }
    const std::size_t format = end - rest.size();
    if (rest.empty()) {
      return result;
    }
    result.zeros = take('0');
    result.width = take_number().value_or(0);
    if (is_epoch(result)) {
      take('d');
      check(rest.empty(), format, "wanted a format such as 03 or 03d, of width 99 at most");
      return result;
    }
    const bool has_precision = take('.');
    result.precision = has_precision ? take_number() : std::nullopt;
    check(has_precision == result.precision.has_value() &&
              (rest == "f" || rest == "e" || rest == "g"),
          format, "wanted a format such as .4f, .3e or .5g, with two digits a number at most");
    result.type = rest.front();
    return result;
  }

  template <class ValueOf>
  std::filesystem::path make_path(std::int64_t epoch, const ValueOf& value_of, int version) const {
    std::string text = folder_;
    for (const auto& placeholder : placeholders_) {
      text += placeholder.before;
      text += is_epoch(placeholder)
                  ? filled(std::to_string(epoch), placeholder)
                  : filled(number(value_of(placeholder.name), placeholder), placeholder);
    }
    text += end_;
    if (version != 0) {
      text.append("-v").append(std::to_string(version));
    }
    return text + extension_;
  }

  static std::string number(double value, const Placeholder& placeholder) {
    if (placeholder.type == '\0') {
      return report::shortest(value);
    }
    const auto format = placeholder.type == 'f'   ? std::chars_format::fixed
                        : placeholder.type == 'e' ? std::chars_format::scientific
                                                  : std::chars_format::general;
    std::array<char, 512> text;  // 1e308 has 309 digits, and 99 decimals may follow
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format,
                                   placeholder.precision.value_or(6))
                         .ptr;
    return {text.data(), end};
  }

  static std::string filled(std::string text, const Placeholder& placeholder) {
    const std::size_t sign = placeholder.zeros && text.front() == '-' ? 1 : 0;
    const auto width = std::max(text.size(), static_cast<std::size_t>(placeholder.width));
    return text.insert(sign, width - text.size(), placeholder.zeros ? '0' : ' ');
  }

  std::string pattern_;
  std::string folder_;  ///< with its slash
  std::vector<Placeholder> placeholders_;
  std::string end_;        ///< the text after the last placeholder, but for
  std::string extension_;  ///< with its dot
};

}  // namespace regtorch::detail
