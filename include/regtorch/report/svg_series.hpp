#pragma once

#include <array>
#include <cstddef>
#include <string>

#include <c10/util/StringUtil.h>

#include "regtorch/report/svg_element.hpp"

namespace regtorch::report {

/// A group in the style of series `index`. The colours are dark enough for white paper; dashes and
/// markers differ too, so that a print without colours can be read. The three cycles have no common
/// divisor: the first 105 styles are all different.
inline SvgElement series_group(std::size_t index, double stroke_width = 2) {
  constexpr std::array<const char*, 7> kColors{"#0b5cad", "#c2410c", "#00735c", "#86318f",
                                               "#8a5a00", "#30363d", "#be185d"};
  constexpr std::array<const char*, 3> kDashes{"none", "7 4", "2 4"};
  return SvgElement("g")
      .set("class", "series")
      .set("fill", kColors[index % kColors.size()])
      .set("stroke", kColors[index % kColors.size()])
      .set("stroke-width", stroke_width)
      .set("stroke-dasharray", kDashes[index % kDashes.size()]);
}

/// The marker of series `index`: a disc, a square, a triangle, a rhombus or a triangle upside down.
inline SvgElement series_marker(std::size_t index, double x, double y) {
  constexpr std::array<const char*, 5> kShapes{"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
                                               "m-3.5-3.5h7v7h-7z", "m0-5 4.5 8h-9z",
                                               "m0-5 5 5-5 5-5-5z", "m0 5 4.5-8h-9z"};
  // The white rim keeps markers apart from lines and from each other.
  return SvgElement("path")
      .set("d", c10::str("M", svg_point(x, y), kShapes[index % kShapes.size()]))
      .set("stroke", "#ffffff")
      .set("stroke-width", 1.0)
      .set("stroke-dasharray", "none");
}

}  // namespace regtorch::report
