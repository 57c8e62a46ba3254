#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace regtorch {

// How ProgressBar writes numbers. Not by printf: a comma from the user's locale would not be found
// again by whoever reads a log.

namespace detail {

inline std::string number_text(double value, std::chars_format format, int precision) {
  std::array<char, 320> text;  // the longest is -1.8e308 with four decimals: 315 characters
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, format, precision).ptr;
  return std::string(text.data(), end);
}

inline std::string padded(const std::string& text, std::size_t columns) {
  return std::string(columns - std::min(columns, text.size()), ' ').append(text);
}

}  // namespace detail

/// "0.7790", or "1.23e+04" from 1000 on: at most 9 characters.
inline std::string loss_text(double loss) {
  return std::abs(loss) < 1000 ? detail::number_text(loss, std::chars_format::fixed, 4)
                               : detail::number_text(loss, std::chars_format::scientific, 2);
}

/// 0.7277 as "72.77 %".
inline std::string accuracy_text(double accuracy) {
  return detail::number_text(100 * accuracy, std::chars_format::fixed, 2).append(" %");
}

/// "1,834/s", "3.2/s", "0.04/s".
inline std::string rate_text(double per_second) {
  const int decimals = (per_second < 9.95 ? 1 : 0) + (per_second < 0.995 ? 1 : 0);
  std::string text = detail::number_text(per_second, std::chars_format::fixed, decimals);
  if (decimals == 0) {
    for (std::size_t i = text.size(); i > 3;) {
      i -= 3;
      text.insert(i, 1, ',');
    }
  }
  return text.append("/s");
}

/// "0:07", "3:05", "1:02:03", from a day on "2d 3h", and "?" for what nobody waits for: a thousand
/// days and more, or no number.
inline std::string duration_text(double seconds) {
  if (!(seconds < 1000 * 86400.0)) {
    return "?";
  }
  const auto whole = std::llround(std::max(seconds, 0.0));
  const auto hours = whole / 3600;
  if (hours >= 24) {
    return std::to_string(hours / 24).append("d ").append(std::to_string(hours % 24)).append("h");
  }
  const auto two_digits = [](long long number) {
    return std::string(number < 10 ? "0" : "").append(std::to_string(number));
  };
  const auto minutes = whole / 60 % 60;
  return (hours > 0 ? std::to_string(hours).append(":").append(two_digits(minutes))
                    : std::to_string(minutes))
      .append(":")
      .append(two_digits(whole % 60));
}

/// Of the parts of a line, those it has room for, from left to right.
///
/// @param parts  the most important first; each has a `place` in the line and takes `columns`. One
///               that does not fit is left out, and the next ones get their chance
/// @param width  columns of the line; less than nothing is nothing
template <class Part>
std::vector<Part> parts_that_fit(const std::vector<Part>& parts, int width) {
  std::vector<Part> kept;
  for (const Part& part : parts) {
    if (part.columns <= width) {
      width -= part.columns;
      kept.push_back(part);
    }
  }
  std::sort(kept.begin(), kept.end(),
            [](const Part& a, const Part& b) { return a.place < b.place; });
  return kept;
}

}  // namespace regtorch
