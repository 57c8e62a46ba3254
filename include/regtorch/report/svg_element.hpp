#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "regtorch/report/utf8.hpp"

namespace regtorch::report {

namespace detail {

/// How many bytes the first character of a non-empty text has; 0 if it is not UTF-8, or one that
/// XML 1.0 does not allow.
inline std::size_t xml_character_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const bool control = first < 0x20 && first != '\t' && first != '\n';
  const bool forbidden = text.starts_with("\uFFFE") || text.starts_with("\uFFFF");
  return control || forbidden ? 0 : utf8_character_size(text);
}

}  // namespace detail

/// Any bytes as XML text, in an element or in quotes: markup is escaped, and what is not UTF-8 or
/// not allowed in XML becomes U+FFFD.
inline std::string xml_text(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t size = detail::xml_character_size(text);
    switch (size == 0 ? '\0' : text.front()) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\0':
        result += "\uFFFD";
        break;
      default:
        result += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return result;
}

/// A length in an SVG: at most two decimals, whatever the locale. A hundredth of a pixel is more
/// than anyone sees.
inline std::string svg_number(double value) {
  std::array<char, 400> text;  // the longest double has 309 digits before the point
  const double rounded = std::round(value * 100) / 100 + 0.0;  // + 0.0: no "-0"
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), rounded, std::chars_format::fixed).ptr;
  return std::string(text.data(), end);
}

/// "3 4": a point, as paths and transforms want it.
inline std::string svg_point(double x, double y) { return svg_number(x) + " " + svg_number(y); }

/// An SVG element that is built up attribute by attribute and child by child; whatever goes in, the
/// text that comes out is well-formed.
///
///     SvgElement("circle").set("cx", 3.0).set("cy", 4.0).set("r", 2.0).text()
class SvgElement {
 public:
  /// An element without attributes and content.
  explicit SvgElement(std::string_view name) : name_(name) {}

  /// @{
  /// Adds an attribute.
  SvgElement& set(std::string_view attribute, std::string_view value) {
    attributes_.append(" ").append(attribute).append("=\"").append(xml_text(value)).append("\"");
    return *this;
  }
  SvgElement& set(std::string_view attribute, double value) {
    return set(attribute, svg_number(value));
  }
  /// @}
  /// Adds an element behind what is in this one.
  SvgElement& add(const SvgElement& child) {
    content_.append("\n").append(child.text());
    return *this;
  }
  /// Adds a text behind what is in this one; markup in it is escaped.
  SvgElement& add_text(std::string_view text) {
    content_ += xml_text(text);
    return *this;
  }

  /// The element as SVG.
  std::string text() const {
    const std::string start = "<" + name_ + attributes_;
    return content_.empty() ? start + "/>" : start + ">" + content_ + "</" + name_ + ">";
  }

 private:
  std::string name_;
  std::string attributes_;
  std::string content_;
};

}  // namespace regtorch::report
