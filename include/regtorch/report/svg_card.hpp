#pragma once

#include <string>
#include <string_view>

#include <c10/util/StringUtil.h>

#include "regtorch/report/svg_element.hpp"

namespace regtorch::report {

/// What the content of a card is added to: the font, size and colour of its texts.
inline SvgElement svg_card_content() {
  return SvgElement("g")
      .set("font-family", "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif")
      .set("font-size", 13.0)
      .set("fill", "#1f2328");
}

/// A picture as a file's contents: an opaque card, so that it looks the same on a light page and on
/// a dark one. Its looks are plain attributes, which every viewer of SVG understands.
///
/// @param width, height  in pixels
/// @param title          for screen readers
/// @param content        what is on the card
inline std::string svg_card(double width, double height, std::string_view title,
                            const SvgElement& content) {
  SvgElement svg("svg");
  svg.set("xmlns", "http://www.w3.org/2000/svg")
      .set("width", width)
      .set("height", height)
      .set("viewBox", c10::str("0 0 ", svg_number(width), " ", svg_number(height)))
      .set("role", "img")
      .add(SvgElement("title").add_text(title))
      .add(SvgElement("rect")
               .set("x", 0.5)
               .set("y", 0.5)
               .set("width", width - 1)
               .set("height", height - 1)
               .set("rx", 8.0)
               .set("fill", "#ffffff")
               .set("stroke", "#d0d7de"))
      .add(content);
  return svg.text() + "\n";
}

}  // namespace regtorch::report
