#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <c10/util/Exception.h>

namespace regtorch::report {

/// A table of texts.
struct Table {
  std::vector<std::string> columns;            ///< their headings
  std::vector<std::vector<std::string>> rows;  ///< each with a text for each column

  /// As Markdown.
  /// @throws c10::ValueError if a row has more or fewer texts than there are columns
  std::string markdown() const {
    std::string text = markdown_row(columns);
    text.append("|");
    for (std::size_t i = 0; i < columns.size(); ++i) {
      text.append("---|");
    }
    text.append("\n");
    for (const auto& row : rows) {
      check(row);
      text.append(markdown_row(row));
    }
    return text;
  }

  /// @throws c10::ValueError if the row has more or fewer texts than there are columns
  void check(const std::vector<std::string>& row) const {
    TORCH_CHECK_VALUE(row.size() == columns.size(), "Table: wanted rows of ", columns.size(),
                      " texts, got one of ", row.size());
  }

 private:
  static std::string markdown_row(const std::vector<std::string>& texts) {
    std::string row = "|";
    for (const auto& text : texts) {
      row.append(" ");
      for (const char c : text) {
        row.append(c == '|' ? "\\|" : c == '\n' ? " " : std::string(1, c));
      }
      row.append(" |");
    }
    return row.append("\n");
  }
};

}  // namespace regtorch::report
