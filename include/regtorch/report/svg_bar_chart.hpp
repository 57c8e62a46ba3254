#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include "regtorch/report/axis_ticks.hpp"
#include "regtorch/report/svg_card.hpp"
#include "regtorch/report/svg_chart.hpp"
#include "regtorch/report/svg_element.hpp"

namespace regtorch::report {

/// One bar of a chart.
struct Bar {
  std::string name;       ///< stands to its left
  double value;           ///< its length, from 0; at least 0, at most kLargestTick
  double half_width = 0;  ///< of an interval around it, drawn as a whisker if finite and above 0
  std::string label;      ///< stands to its right: the value in words
};

/// A chart of horizontal bars, as the text of an SVG file. The axis starts at 0, so that lengths
/// can be compared; a dotted line continues the first bar's end, so that all can be compared with
/// it.
///
/// @param bars   at least one
/// @param title  the heading; "" for none
/// @param axis   what the values are; "" for nothing
/// @throws c10::ValueError if there are no bars or a value is out of range
inline std::string svg_bar_chart(const std::vector<Bar>& bars, const std::string& title,
                                 const std::string& axis) {
  constexpr double kWidth = 720;
  constexpr double kMargin = 20;
  constexpr double kRow = 30;
  constexpr double kThickness = 18;
  constexpr const char* kInk = "#1f2328";
  constexpr const char* kMuted = "#57606a";
  TORCH_CHECK_VALUE(!bars.empty(), "svg_bar_chart: wanted at least 1 bar, got 0");
  double names = 0;
  double labels = 0;
  double longest = 0;
  for (const Bar& bar : bars) {
    TORCH_CHECK_VALUE(bar.value >= 0 && bar.value <= kLargestTick,
                      "svg_bar_chart: wanted values in [0, ", kLargestTick, "], got ", bar.value,
                      " for '", bar.name, "'");
    names = std::max(names, FittedText(bar.name, kWidth / 3).width);
    labels = std::max(labels, FittedText(bar.label, kWidth / 4).width);
    const double end = bar.value + bar.half_width;
    longest = std::max({longest, bar.value, std::abs(end) <= kLargestTick ? end : 0});
  }
  const AxisTicks ticks = axis_ticks(0, longest, 8);
  const double left = kMargin + names + 10;
  const ChartScale x{0, ticks.values.back(), left, kWidth - kMargin - labels - 8};
  const double top = kMargin + (title.empty() ? 0 : 32);
  const double bottom = top + kRow * static_cast<double>(bars.size());

  SvgElement content = svg_card_content();
  content.add(chart_text(kMargin, kMargin + 12, FittedText(title, kWidth - 2 * kMargin, 16).text)
                  .set("font-size", 16.0)
                  .set("font-weight", "600"));
  SvgElement grid("g");
  SvgElement numbers("g");
  grid.set("class", "grid").set("stroke", "#d0d7de");
  numbers.set("class", "x-ticks").set("text-anchor", "middle").set("fill", kMuted);
  for (std::size_t i = 0; i < ticks.values.size(); ++i) {
    const double at = x(ticks.values[i]);
    grid.add(
        SvgElement("path").set("d", c10::str("M", svg_point(at, top), "V", svg_number(bottom))));
    numbers.add(chart_text(at, bottom + 20, ticks.labels[i]));
  }
  content.add(grid);
  content.add(numbers);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const Bar& bar = bars[i];
    const double middle = top + kRow * (static_cast<double>(i) + 0.5);
    content.add(SvgElement("rect")
                    .set("class", "bar")
                    .set("x", left)
                    .set("y", middle - kThickness / 2)
                    .set("width", x(bar.value) - left)
                    .set("height", kThickness)
                    .set("fill", i == 0 ? "#8c959f" : "#4a8fd4"));
    content.add(chart_text(left - 10, middle + 4.5, FittedText(bar.name, kWidth / 3).text)
                    .set("text-anchor", "end"));
    content.add(chart_text(kWidth - kMargin, middle + 4.5, FittedText(bar.label, kWidth / 4).text)
                    .set("text-anchor", "end"));
    if (std::isfinite(bar.half_width) && bar.half_width > 0) {
      const double from = x(std::max(0.0, bar.value - bar.half_width));
      const double to = x(bar.value + bar.half_width);
      content.add(SvgElement("path")
                      .set("class", "whisker")
                      .set("d", c10::str("M", svg_point(from, middle - 5), "v10m0-5H",
                                         svg_number(to), "m0-5v10"))
                      .set("fill", "none")
                      .set("stroke", kInk)
                      .set("stroke-width", 1.5));
    }
  }
  content.add(
      SvgElement("path")
          .set("class", "reference")
          .set("d", c10::str("M", svg_point(x(bars.front().value), top), "V", svg_number(bottom)))
          .set("stroke", kInk)
          .set("stroke-dasharray", "2 3"));
  content.add(chart_text((left + x.to) / 2, bottom + 42, FittedText(axis, x.to - left).text)
                  .set("text-anchor", "middle"));
  return svg_card(kWidth, bottom + (axis.empty() ? 34 : 56), title.empty() ? axis : title, content);
}

}  // namespace regtorch::report
