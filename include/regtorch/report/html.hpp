#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "regtorch/core/write_file.hpp"
#include "regtorch/report/svg_element.hpp"
#include "regtorch/report/table.hpp"

namespace regtorch::report {

/// A page of text, tables and pictures in one file, which needs nothing else to be shown. Texts may
/// hold any bytes: markup in them is shown, not obeyed.
///
///     HtmlPage page("Results");
///     page.text("Three seeds.").table(table).svg(svg_bar_chart(bars, "Accuracy", "percent"));
///     write_html(page, "report.html");
class HtmlPage {
 public:
  /// A page with this title alone.
  explicit HtmlPage(std::string_view title) : title_(xml_text(title)) {}

  /// Adds a heading.
  HtmlPage& heading(std::string_view text) { return element("h2", text); }
  /// Adds a paragraph.
  HtmlPage& text(std::string_view text) { return element("p", text); }
  /// @throws c10::ValueError if a row has more or fewer texts than there are columns
  HtmlPage& table(const Table& table) {
    std::string body = "<table>\n" + row("th", table.columns);
    for (const auto& texts : table.rows) {
      table.check(texts);
      body += row("td", texts);
    }
    body_ += body + "</table>\n";
    return *this;
  }
  /// @param svg  a picture as svg_line_chart and svg_bar_chart make it, taken as it is
  HtmlPage& svg(std::string_view svg) {
    body_.append("<figure>\n").append(svg).append("</figure>\n");
    return *this;
  }

  /// The whole page, as HTML.
  std::string text() const {
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
           title_ + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<h1>" + title_ +
           "</h1>\n" + body_ + "</body>\n</html>\n";
  }

 private:
  static constexpr const char* kStyle =
      ":root{color-scheme:light dark}"
      "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
      "table{border-collapse:collapse;display:block;overflow-x:auto}"
      "th,td{border-bottom:1px solid #8888;padding:.3rem .7rem;text-align:right}"
      "th:first-child,td:first-child{text-align:left}"
      "figure{margin:1.5rem 0}svg{max-width:100%;height:auto}";

  HtmlPage& element(std::string_view name, std::string_view text) {
    body_.append("<").append(name).append(">").append(xml_text(text));
    body_.append("</").append(name).append(">\n");
    return *this;
  }
  static std::string row(std::string_view cell, const std::vector<std::string>& texts) {
    std::string result = "<tr>";
    for (const auto& text : texts) {
      result.append("<").append(cell).append(">").append(xml_text(text));
      result.append("</").append(cell).append(">");
    }
    return result.append("</tr>\n");
  }

  std::string title_;
  std::string body_;
};

/// Writes the page to a file, which is replaced as a whole or not at all.
/// @throws c10::Error naming the file if it cannot be written
inline void write_html(const HtmlPage& page, const std::filesystem::path& path) {
  write_file(path, page.text());
}

}  // namespace regtorch::report
