#pragma once

#include <filesystem>
#include <string>

#include "regtorch/core/write_file.hpp"
#include "regtorch/report/number.hpp"
#include "regtorch/training/history.hpp"

namespace regtorch::report {

namespace detail {

/// A text as a field of a CSV file: in quotes if it has a character that ends fields (RFC 4180).
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted.append(c == '"' ? 2 : 1, c);
  }
  return quoted + "\"";
}

}  // namespace detail

/// Writes a history as a table: a header line (epoch and the first epoch's metrics), then a line an
/// epoch; numbers as they read back exactly, an empty field for a metric an epoch lacks. Names may
/// hold any bytes: commas, quotes and line breaks put them in quotes.
///
/// The file is replaced as a whole or not at all.
///
/// @throws c10::Error naming the file if it cannot be written
inline void write_csv(const History& history, const std::filesystem::path& path) {
  std::string text = "epoch";
  if (!history.epochs.empty()) {
    for (const auto& [name, value] : history.epochs.front().metrics) {
      text.append(",").append(detail::csv_field(name));
    }
  }
  text += "\n";
  for (const auto& epoch : history.epochs) {
    text += std::to_string(epoch.epoch);
    for (const auto& [name, value] : history.epochs.front().metrics) {
      text.append(",").append(epoch.metrics.contains(name) ? shortest(epoch.metrics.at(name)) : "");
    }
    text += "\n";
  }
  write_file(path, text);
}

}  // namespace regtorch::report
