#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include "regtorch/report/axis_ticks.hpp"
#include "regtorch/report/svg_chart.hpp"
#include "regtorch/report/svg_element.hpp"
#include "regtorch/report/svg_series.hpp"

namespace regtorch::report {

/// One line of a chart: the points (xs[i], ys[i]), joined in this order. A point that is not
/// finite, or of a magnitude above kLargestTick, leaves a gap.
struct Curve {
  std::string name;        ///< for the legend
  std::vector<double> xs;  ///< of the points
  std::vector<double> ys;  ///< of the points, as many as xs
};

/// A point to point out: a ring, a dotted line down the plot and a note above it.
struct ChartMark {
  std::size_t curve;  ///< counted from 0
  std::size_t point;  ///< of that curve, counted from 0
  std::string note;   ///< what stands beside it
};

namespace detail {

inline bool drawable(double value) { return std::abs(value) <= kLargestTick; }  // NaN is not
inline bool drawable(const Curve& curve, std::size_t i) {
  return i < curve.xs.size() && drawable(curve.xs[i]) && drawable(curve.ys[i]);
}

/// What the axes must show.
struct ChartRanges {
  double x_low = std::numeric_limits<double>::infinity();
  double x_high = -x_low;
  double y_low = x_low;
  double y_high = -x_low;
  bool whole_x = true;

  explicit ChartRanges(const std::vector<Curve>& curves) {
    for (const Curve& curve : curves) {
      for (std::size_t i = 0; i < curve.xs.size(); ++i) {
        if (drawable(curve.xs[i])) {  // of a gap too: an epoch that came to nothing was one
          x_low = std::min(x_low, curve.xs[i]);
          x_high = std::max(x_high, curve.xs[i]);
          whole_x = whole_x && curve.xs[i] == std::floor(curve.xs[i]);
        }
        if (drawable(curve, i)) {
          y_low = std::min(y_low, curve.ys[i]);
          y_high = std::max(y_high, curve.ys[i]);
        }
      }
    }
    if (y_low > 0 && y_low < (y_high - y_low) / 4) {
      y_low = 0;  // costs little room, and heights can be compared
    }
  }
  bool empty() const { return y_low > y_high; }
};

inline void add_x_axis(SvgChart& chart, const ChartScale& x, bool whole) {
  SvgElement lines("g");
  lines.set("class", "x-axis").set("stroke", "#57606a");
  lines.add(SvgElement("path").set(
      "d", c10::str("M", svg_point(chart.left(), chart.bottom()), "H", svg_number(chart.right()))));
  SvgElement texts("g");
  texts.set("class", "x-ticks").set("text-anchor", "middle").set("fill", "#57606a");
  const AxisTicks ticks = axis_ticks(x.low, x.high, 10, whole);
  for (std::size_t i = 0; i < ticks.values.size(); ++i) {
    // Beyond the points there is nothing to read off: an epoch 0 or 60 that never was.
    if (ticks.values[i] >= x.low && ticks.values[i] <= x.high) {
      const double at = x(ticks.values[i]);
      lines.add(SvgElement("path").set("d", c10::str("M", svg_point(at, chart.bottom()), "v5")));
      texts.add(chart_text(at, chart.bottom() + 22, ticks.labels[i]));
    }
  }
  chart.add(lines);
  chart.add(texts);
}

/// @param phase  where in a stride the markers are, 0 to 1: two curves' markers then stand apart
inline void add_curve(SvgChart& chart, const ChartScale& x, const Curve& curve, std::size_t index,
                      double phase) {
  constexpr std::size_t kMostMarkers = 26;  // more would hide the line
  const std::size_t stride = (curve.xs.size() + kMostMarkers - 1) / kMostMarkers;
  const auto first = static_cast<std::size_t>(phase * static_cast<double>(stride));
  const bool dense = curve.xs.size() > 250;  // noise in a thick line is a blot
  std::string path;
  SvgElement markers("g");
  for (std::size_t i = 0; i < curve.xs.size(); ++i) {
    if (!drawable(curve, i)) {
      continue;
    }
    const bool joined = i > 0 && drawable(curve, i - 1);
    const double at_x = x(curve.xs[i]);
    const double at_y = chart.y()(curve.ys[i]);
    path.append(joined ? "L" : "M").append(svg_point(at_x, at_y));
    // A point between gaps has no line: without a marker nobody would see it.
    const bool alone = !joined && !drawable(curve, i + 1);
    if (i % stride == first || alone) {
      markers.add(series_marker(index, at_x, at_y));
    }
  }
  SvgElement line("path");
  line.set("class", "line").set("d", path).set("fill", "none").set("stroke-linejoin", "round");
  chart.add(series_group(index, dense ? 1.25 : 2).add(line).add(markers));
}

inline void add_mark_line(SvgChart& chart, double x, const std::string& whole_note) {
  const FittedText note(whole_note, chart.right() - chart.left());
  chart.add(
      SvgElement("path")
          .set("class", "mark")
          .set("d", c10::str("M", svg_point(x, chart.bottom()), "V", svg_number(chart.top() - 8)))
          .set("stroke", "#57606a")
          .set("stroke-dasharray", "2 3"));
  // Over the line, or from the plot's edge where there is no room for that.
  double at = x;
  const char* anchor = "middle";
  if (x - note.width / 2 < chart.left()) {
    at = chart.left();
    anchor = "start";
  } else if (x + note.width / 2 > chart.right()) {
    at = chart.right();
    anchor = "end";
  }
  chart.add(chart_text(at, chart.top() - 14, note.text).set("text-anchor", anchor));
}

inline void add_mark_ring(SvgChart& chart, std::size_t curve, double x, double y) {
  chart.add(series_group(curve).add(series_marker(curve, x, y)));  // may have been thinned out
  chart.add(SvgElement("circle")
                .set("class", "mark")
                .set("cx", x)
                .set("cy", y)
                .set("r", 8.0)
                .set("fill", "none")
                .set("stroke", "#1f2328")
                .set("stroke-width", 1.5));
}

}  // namespace detail

/// A chart of curves over a common horizontal axis, as the text of an SVG file.
///
/// The vertical axis starts at 0 if the values come close to it. Markers are thinned out to 26 a
/// curve. With nothing to draw at all, the chart says so.
///
/// @param curves  any number, each with as many ys as xs
/// @param labels  the title and what the axes show
/// @param mark    a point to point out; default none. A gap has the line and the note only
/// @throws c10::ValueError if a curve's numbers of xs and ys differ, or there is no such point
inline std::string svg_line_chart(const std::vector<Curve>& curves, const ChartLabels& labels,
                                  const std::optional<ChartMark>& mark = std::nullopt) {
  std::vector<std::string> names;
  for (const Curve& curve : curves) {
    TORCH_CHECK_VALUE(curve.xs.size() == curve.ys.size(),
                      "svg_line_chart: wanted as many xs as ys of '", curve.name, "', got ",
                      curve.xs.size(), " and ", curve.ys.size());
    names.push_back(curve.name);
  }
  const Curve* marked = nullptr;
  if (mark.has_value()) {
    TORCH_CHECK_VALUE(mark->curve < curves.size() && mark->point < curves[mark->curve].xs.size(),
                      "svg_line_chart: wanted a mark at a point of one of the curves, got point ",
                      mark->point, " of curve ", mark->curve);
    marked = detail::drawable(curves[mark->curve].xs[mark->point]) ? &curves[mark->curve] : nullptr;
  }
  const detail::ChartRanges ranges(curves);
  if (ranges.empty()) {
    SvgChart chart(labels, names, {{0, 1}, {"", ""}});
    chart.add(chart_text((chart.left() + chart.right()) / 2, (chart.top() + chart.bottom()) / 2,
                         "no values to draw")
                  .set("text-anchor", "middle")
                  .set("fill", "#57606a"));
    return chart.text();
  }
  SvgChart chart(labels, names, axis_ticks(ranges.y_low, ranges.y_high, 8),
                 marked != nullptr ? 20 : 0);
  // Inset, so that the first and last markers are off the edges.
  const ChartScale x{ranges.x_low, ranges.x_high, chart.left() + 12, chart.right() - 12};
  detail::add_x_axis(chart, x, ranges.whole_x);
  if (marked != nullptr) {
    detail::add_mark_line(chart, x(marked->xs[mark->point]), mark->note);
  }
  for (std::size_t i = 0; i < curves.size(); ++i) {
    detail::add_curve(chart, x, curves[i], i,
                      static_cast<double>(i) / static_cast<double>(curves.size()));
  }
  if (marked != nullptr && detail::drawable(*marked, mark->point)) {
    detail::add_mark_ring(chart, mark->curve, x(marked->xs[mark->point]),
                          chart.y()(marked->ys[mark->point]));
  }
  return chart.text();
}

}  // namespace regtorch::report
