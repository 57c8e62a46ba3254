#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <c10/util/StringUtil.h>

#include "regtorch/report/axis_ticks.hpp"
#include "regtorch/report/svg_card.hpp"
#include "regtorch/report/svg_element.hpp"
#include "regtorch/report/svg_series.hpp"

namespace regtorch::report {

/// What stands around a chart; an empty text is left out.
struct ChartLabels {
  std::string title;  ///< above it
  std::string x;      ///< what the horizontal axis shows
  std::string y;      ///< what the vertical axis shows
};

/// Maps the values [low, high] to the pixels [from, to], and a range of one value to the middle.
struct ChartScale {
  double low;   ///< the least value
  double high;  ///< the greatest
  double from;  ///< where `low` lies, in pixels
  double to;    ///< where `high` lies

  /// The pixel of a value.
  double operator()(double value) const {
    return low == high ? (from + to) / 2 : from + (value - low) / (high - low) * (to - from);
  }
};

/// A text of a chart, 13 pixels high unless set otherwise.
inline SvgElement chart_text(double x, double y, std::string_view text) {
  return SvgElement("text").set("x", x).set("y", y).add_text(text);
}

/// A text, or as much of it as fits into `width` pixels, with an ellipsis; and how wide that is.
///
/// Nobody knows which font a viewer has, so it goes by a wide one, and by a full square for what is
/// not ASCII.
struct FittedText {
  std::string text;  ///< as it fits
  double width = 0;  ///< of that, in pixels, estimated

  /// @param whole      the text wanted
  /// @param most       the width that there is, in pixels
  /// @param font_size  in pixels
  FittedText(std::string_view whole, double most, double font_size = 13) {
    std::size_t end = 0;  // the last place where the ellipsis would still fit
    double end_width = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const auto byte = static_cast<unsigned char>(whole[i]);
      if (byte >= 0x80 && byte < 0xC0) {
        continue;  // within a character of UTF-8
      }
      if (width + font_size <= most) {
        end = i;
        end_width = width;
      }
      width += font_size * (byte >= 0x80 ? 1 : byte >= 'A' && byte <= 'Z' ? 0.75 : 0.6);
    }
    if (width <= most) {
      text = whole;
    } else {
      text = std::string(whole.substr(0, end)) + "\u2026";
      width = end_width + font_size;
    }
  }
};

/// The card, title, legend, vertical axis and axis labels of a chart, around a plot that the caller
/// fills.
class SvgChart {
 public:
  /// @param labels   what is too long is cut; a screen reader reads the whole title
  /// @param names    the series, for the legend above the plot
  /// @param y_ticks  the vertical axis, which reaches from the first tick to the last
  /// @param note     pixels to leave free between legend and plot; default 0
  SvgChart(const ChartLabels& labels, const std::vector<std::string>& names,
           const AxisTicks& y_ticks, double note = 0) {
    double widest = 0;
    for (const auto& label : y_ticks.labels) {
      widest = std::max(widest, FittedText(label, kWidth).width);
    }
    left_ = kMargin + (labels.y.empty() ? 0 : 22) + widest + 10;
    top_ = kMargin;
    if (!labels.title.empty()) {
      const FittedText title(labels.title, right() - left_, kTitleSize);
      content_.add(chart_text(left_, top_ + 12, title.text)
                       .set("font-size", kTitleSize)
                       .set("font-weight", "600"));
      top_ += 26;
    }
    add_legend(names);
    top_ += note + 10;
    add_y_axis(y_ticks);
    height_ = bottom() + 26 + (labels.x.empty() ? 0 : 22) + 10;
    content_.add(
        chart_text((left_ + right()) / 2, bottom() + 46, FittedText(labels.x, right() - left_).text)
            .set("text-anchor", "middle"));
    content_.add(
        chart_text(0, 0, FittedText(labels.y, kPlotHeight).text)
            .set("text-anchor", "middle")
            .set("transform",
                 "translate(" + svg_point(kMargin + 10, (top_ + bottom()) / 2) + ") rotate(-90)"));
    title_ = labels.title.empty() ? labels.y + " over " + labels.x : labels.title;
  }

  /// @{
  /// The plot's edges, in pixels; vertical pixels count downwards.
  double left() const { return left_; }
  double right() const { return kWidth - kMargin; }
  double top() const { return top_; }
  double bottom() const { return top_ + kPlotHeight; }
  /// @}
  /// From values to vertical pixels.
  const ChartScale& y() const { return y_; }

  /// Draws on top of what is there.
  void add(const SvgElement& element) { content_.add(element); }

  /// The picture as a file's contents.
  std::string text() const { return svg_card(kWidth, height_, title_, content_); }

 private:
  static constexpr double kWidth = 720;
  static constexpr double kPlotHeight = 300;
  static constexpr double kMargin = 20;
  static constexpr double kTitleSize = 16;

  /// Rows of a sample and a name, as many to a row as fit.
  void add_legend(const std::vector<std::string>& names) {
    constexpr double kSample = 36;
    double x = left_;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const FittedText name(names[i], right() - left_ - kSample - 8);
      const double width = kSample + 8 + name.width;
      if (x > left_ && x + width > right()) {
        x = left_;
        top_ += 22;
      }
      const double y = top_ + 8;
      content_.add(series_group(i)
                       .add(SvgElement("path").set(
                           "d", c10::str("M", svg_point(x, y), "h", svg_number(kSample))))
                       .add(series_marker(i, x + kSample / 2, y)));
      content_.add(chart_text(x + kSample + 8, y + 4.5, name.text));
      x += width + 16;
    }
    top_ += names.empty() ? 0 : 22;
  }

  void add_y_axis(const AxisTicks& ticks) {
    y_ = {ticks.values.front(), ticks.values.back(), bottom(), top()};
    SvgElement lines("g");
    lines.set("class", "grid").set("stroke", "#e1e4e8");
    SvgElement texts("g");
    texts.set("class", "y-ticks").set("text-anchor", "end").set("fill", "#57606a");
    for (std::size_t i = 0; i < ticks.values.size(); ++i) {
      const double y = y_(ticks.values[i]);
      lines.add(SvgElement("path").set(
          "d", c10::str("M", svg_point(left_, y), "H", svg_number(right()))));
      texts.add(chart_text(left_ - 10, y + 4.5, ticks.labels[i]));
    }
    content_.add(lines).add(texts);
  }

  double left_ = 0;
  double top_ = 0;
  double height_ = 0;
  ChartScale y_{};
  std::string title_;
  SvgElement content_ = svg_card_content();
};

}  // namespace regtorch::report
