#include "regtorch/report/svg_line_chart.hpp"

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "report/svg_reader.hpp"

namespace svg_line_chart_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::path_points;
using regtorch::testing::XmlElement;
using regtorch::testing::XmlReader;
using rt::report::ChartMark;
using rt::report::Curve;
using rt::report::svg_line_chart;
using Values = std::vector<double>;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Curve curve(Values ys, std::string name = "c") {
  Values xs(ys.size());
  std::iota(xs.begin(), xs.end(), 1.0);
  return {std::move(name), xs, std::move(ys)};
}

XmlElement draw(const std::vector<Curve>& curves, std::optional<ChartMark> mark = std::nullopt) {
  return XmlReader::read(svg_line_chart(curves, {"title", "epoch", "loss"}, mark));
}

std::vector<XmlElement> lines(const XmlElement& svg) { return svg.all("path", "line"); }

/// The markers that belong to the i-th line.
std::vector<XmlElement> markers(const XmlElement& svg, std::size_t i) {
  std::vector<std::vector<XmlElement>> found;
  for (const XmlElement& series : svg.all("g", "series")) {
    if (!series.all("path", "line").empty()) {
      found.push_back(series.all("g").at(0).all("path"));
    }
  }
  return found.at(i);
}

/// Where a value lies, by what is written beside the axis: from its first and last label.
double by_labels(const XmlElement& svg, char axis, double value) {
  const auto ticks = svg.all("g", std::string(1, axis) + "-ticks").at(0).all("text");
  const auto at = [&](const XmlElement& text) {
    return text.number(std::string(1, axis)) - (axis == 'y' ? 4.5 : 0);
  };
  const double low = std::strtod(ticks.front().text.c_str(), nullptr);
  const double high = std::strtod(ticks.back().text.c_str(), nullptr);
  return at(ticks.front()) + (value - low) / (high - low) * (at(ticks.back()) - at(ticks.front()));
}

}  // namespace

TEST_CASE("the points lie where the axes say", "[report]") {
  for (const double scale : {1.0, -1.0, 1e-12, 1e12, 1e-250, 1e299}) {
    const Curve a = curve({1.509 * scale, 1.02 * scale, 0.78 * scale, 0.62 * scale});
    const Curve b{"b", {2.5, 4, 6}, {0.5 * scale, 1.1 * scale, 0.9 * scale}};
    const XmlElement svg = draw({a, b});
    REQUIRE(lines(svg).size() == 2);
    for (std::size_t c = 0; c < 2; ++c) {
      const Curve& wanted = c == 0 ? a : b;
      const auto points = path_points(lines(svg)[c]);
      REQUIRE(points.size() == wanted.xs.size());
      for (std::size_t i = 0; i < points.size(); ++i) {
        CAPTURE(scale, c, i);
        CHECK(points[i].x == Approx(by_labels(svg, 'x', wanted.xs[i])).margin(0.05));
        CHECK(points[i].y == Approx(by_labels(svg, 'y', wanted.ys[i])).margin(0.05));
        CHECK(points[i].begins == (i == 0));
        const auto marker = path_points(markers(svg, c).at(i)).at(0);
        CHECK(marker.x == points[i].x);
        CHECK(marker.y == points[i].y);
      }
    }
    CHECK(path_points(lines(svg)[0])[1].x > path_points(lines(svg)[0])[0].x);
  }
}

TEST_CASE("values close to 0 are drawn above it", "[report]") {
  const auto lowest = [](const Values& ys) {
    return draw({curve(ys)}).all("g", "y-ticks").at(0).all("text").at(0).text;
  };
  CHECK(lowest({0.2, 1.2}) == "0.0");
  CHECK(lowest({0.4, 1.2}) == "0.4");
  CHECK(lowest({-0.2, 1.2}) == "-0.2");
}

TEST_CASE("the epochs drawn are those there were", "[report]") {
  const auto labels = [](std::size_t epochs) {
    std::string all;
    for (const auto& text :
         draw({curve(Values(epochs, 0.5))}).all("g", "x-ticks").at(0).all("text")) {
      all += text.text + " ";
    }
    return all;
  };
  CHECK(labels(1) == "1 ");
  CHECK(labels(2) == "1 2 ");
  CHECK(labels(15) == "2 4 6 8 10 12 14 ");
  CHECK(labels(51) == "5 10 15 20 25 30 35 40 45 50 ");
  CHECK(labels(1000) == "100 200 300 400 500 600 700 800 900 1000 ");
}

TEST_CASE("what is not finite leaves a gap", "[report]") {
  for (const double gap : {kNan, double{INFINITY}, -double{INFINITY}, 1e301}) {
    Values ys(60, 1.0);
    ys[10] = gap;
    ys[12] = gap;
    ys[59] = gap;
    const XmlElement svg = draw({curve(ys)});
    const auto points = path_points(lines(svg).at(0));
    REQUIRE(points.size() == 57);
    std::vector<std::size_t> begins;
    for (std::size_t i = 0; i < points.size(); ++i) {
      CHECK(std::isfinite(points[i].x));
      CHECK(std::isfinite(points[i].y));
      if (points[i].begins) {
        begins.push_back(i);
      }
    }
    CHECK(begins == std::vector<std::size_t>{0, 10, 11});
    // Epoch 12 stands alone: without a marker it would not be seen.
    std::set<double> marked;
    for (const auto& marker : markers(svg, 0)) {
      marked.insert(path_points(marker).at(0).x);
    }
    CHECK(marked.count(points[10].x) == 1);
    CHECK(marked.count(points[11].x) == 0);
    // Epoch 60 came to nothing, but it was one.
    CHECK(svg.all("g", "x-ticks").at(0).all("text").back().text == "60");
  }
}

TEST_CASE("long curves have few markers, and two curves' do not coincide", "[report]") {
  for (const std::size_t size : {26, 27, 51, 1000}) {
    const XmlElement svg = draw({curve(Values(size, 0.5)), curve(Values(size, 0.5))});
    std::set<double> places;
    for (std::size_t c = 0; c < 2; ++c) {
      CHECK(path_points(lines(svg).at(c)).size() == size);
      CHECK(markers(svg, c).size() <= 26);
      CHECK(markers(svg, c).size() >= 13);
      for (const auto& marker : markers(svg, c)) {
        places.insert(path_points(marker).at(0).x);
      }
    }
    CHECK((size == 26 || places.size() == markers(svg, 0).size() + markers(svg, 1).size()));
  }
}

TEST_CASE("everything stays on the card", "[report]") {
  for (const Values& ys :
       {Values{0.7}, Values{0, 0, 0}, Values{1e-12, 3e-12}, Values{1e12, -1e12}, Values{1, 1e12},
        Values{1e300, -1e300}, Values{5e-324, 0}, Values{1, 1 + 1e-15}, Values{kNan, 2, kNan}}) {
    const XmlElement svg = draw({curve(ys)}, ChartMark{0, ys.size() - 1, std::string(300, 'n')});
    CAPTURE(ys);
    for (const char* name : {"path", "circle", "text"}) {
      for (const XmlElement& element : svg.all(name)) {
        const bool path = element.name == "path";
        const bool circle = element.name == "circle";
        const double x = path ? path_points(element).at(0).x : element.number(circle ? "cx" : "x");
        const double y = path ? path_points(element).at(0).y : element.number(circle ? "cy" : "y");
        CHECK((x >= 0 && x <= svg.number("width")));
        CHECK((y >= 0 && y <= svg.number("height")));
      }
    }
    CHECK(path_points(lines(svg).at(0)).size() >= 1);
  }
}

TEST_CASE("a mark points out one point", "[report]") {
  const std::vector<Curve> curves{curve({3, 2, 1}, "a"), curve({3, 1.5, kNan}, "b")};
  const XmlElement svg = draw(curves, ChartMark{1, 1, "here"});
  const auto point = path_points(lines(svg).at(1)).at(1);
  const auto ring = svg.all("circle", "mark").at(0);
  CHECK(ring.number("cx") == point.x);
  CHECK(ring.number("cy") == point.y);
  CHECK(path_points(svg.all("path", "mark").at(0)).at(0).x == point.x);
  const auto note = [](const XmlElement& picture) {
    for (const auto& text : picture.all("text")) {
      if (text.text == "here") {
        return text.attributes.at("text-anchor") + " at " + text.attributes.at("x");
      }
    }
    return std::string();
  };
  CHECK(note(svg) == "middle at " + ring.attributes.at("cx"));
  CHECK(draw(curves).all("circle").empty());
  CHECK(draw(curves).all("path", "mark").empty());

  // At an edge the note stays within the plot.
  const std::string spaces = "                              here                              ";
  const auto at_edge = [&](std::size_t i) {
    const XmlElement picture = draw(curves, ChartMark{0, i, spaces});
    for (const auto& text : picture.all("text")) {
      if (text.text == spaces) {
        return text.attributes.at("text-anchor");
      }
    }
    return std::string();
  };
  CHECK(at_edge(0) == "start");
  CHECK(at_edge(2) == "end");

  // A gap has no height to put a ring at.
  const XmlElement gap = draw(curves, ChartMark{1, 2, "here"});
  CHECK(gap.all("circle").empty());
  CHECK(gap.all("path", "mark").size() == 1);
}

TEST_CASE("a point that is marked has its marker also on a long curve", "[report]") {
  const XmlElement svg = draw({curve(Values(1000, 0.5))}, ChartMark{0, 501, ""});
  const auto ring = svg.all("circle", "mark").at(0);
  const auto marker = svg.all("g", "series").back().all("path").at(0);
  CHECK(path_points(marker).at(0).x == ring.number("cx"));
  CHECK(path_points(marker).at(0).y == ring.number("cy"));
}

TEST_CASE("a chart of nothing says so", "[report]") {
  for (const std::vector<Curve>& curves :
       {std::vector<Curve>{}, {curve({})}, {curve({kNan, kNan})}}) {
    CHECK(contains(svg_line_chart(curves, {"", "epoch", "loss"}), ">no values to draw<"));
    CHECK(draw(curves).all("path", "line").empty());
  }
  CHECK_FALSE(contains(svg_line_chart({curve({1})}, {}), "no values to draw"));
  CHECK_FALSE(draw({curve({kNan})}, ChartMark{0, 0, "note"}).all("text").empty());
}

TEST_CASE("any bytes make a well-formed picture", "[report]") {
  const std::string hostile = "<&\"'>\x01\xff]]>";
  const auto svg = XmlReader::read(svg_line_chart(
      {curve({1, 2}, hostile)}, {hostile, hostile, hostile}, ChartMark{0, 0, hostile}));
  std::size_t seen = 0;
  for (const auto& text : svg.all("text")) {
    seen += text.text == "<&\"'>\uFFFD\uFFFD]]>" ? 1 : 0;
  }
  CHECK(seen == 5);  // title, legend, two axes and the note
}

TEST_CASE("curves that are none are refused", "[report]") {
  CHECK(contains(error_of([] {
                   svg_line_chart({{"name", {1, 2}, {1}}}, {});
                 }),
                 "wanted as many xs as ys of 'name', got 2 and 1"));
  for (const ChartMark& mark : {ChartMark{1, 0, ""}, ChartMark{0, 2, ""}}) {
    CHECK(contains(error_of([&] {
                     draw({curve({1, 2})}, mark);
                   }),
                   c10::str("got point ", mark.point, " of curve ", mark.curve)));
  }
}

}  // namespace svg_line_chart_test
