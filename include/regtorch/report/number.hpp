#pragma once

#include <array>
#include <charconv>
#include <string>

namespace regtorch::report {

/// The shortest decimal text that reads back as exactly `value`: "0.1", "1e-09", "nan", "inf".
inline std::string shortest(double value) {
  std::array<char, 32> text;  // the longest shortest double has 24 characters
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return std::string(text.data(), end);
}

}  // namespace regtorch::report
