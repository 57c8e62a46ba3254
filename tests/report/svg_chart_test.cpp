#include "regtorch/report/svg_chart.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "catch.hpp"
#include "report/svg_reader.hpp"

namespace svg_chart_test {

using regtorch::testing::path_points;
using regtorch::testing::XmlElement;
using regtorch::testing::XmlReader;
using rt::report::axis_ticks;
using rt::report::ChartScale;
using rt::report::FittedText;
using rt::report::SvgChart;

TEST_CASE("a scale maps linearly, and one value to the middle", "[report]") {
  const ChartScale scale{1, 3, 100, 50};
  CHECK(scale(1) == 100);
  CHECK(scale(1.5) == 87.5);
  CHECK(scale(3) == 50);
  CHECK(ChartScale{2, 2, 0, 10}(2) == 5);
}

TEST_CASE("a text that is too wide is cut between characters", "[report]") {
  const FittedText whole("abcde", 30, 10);
  CHECK(whole.text == "abcde");
  CHECK(whole.width == Approx(30));
  const FittedText cut("abcdef", 30, 10);
  CHECK(cut.text == "abc\u2026");
  CHECK(cut.width == Approx(28));
  CHECK(FittedText("\u00e9\u00e9\u00e9\u00e9", 39, 10).text == "\u00e9\u00e9\u2026");
  CHECK(FittedText("WWWW", 30, 10).text == "WWWW");
  CHECK(FittedText("WWWWW", 30, 10).text == "WW\u2026");
}

TEST_CASE("a chart is an opaque card with its texts on it", "[report]") {
  const std::string title(300, 't');
  SvgChart chart({title, "epoch", "loss"}, {"a", "b"}, axis_ticks(0, 1, 5));
  chart.add(rt::report::SvgElement("circle"));
  const XmlElement svg = XmlReader::read(chart.text());
  CHECK(svg.name == "svg");
  CHECK(svg.attributes.at("xmlns") == "http://www.w3.org/2000/svg");
  CHECK(svg.attributes.at("viewBox") ==
        "0 0 " + svg.attributes.at("width") + " " + svg.attributes.at("height"));
  CHECK(svg.children.at(0).name == "title");
  CHECK(svg.children.at(0).text == title);  // whole, for a screen reader
  // The card is below all else and covers the picture.
  const XmlElement& card = svg.children.at(1);
  CHECK(card.name == "rect");
  CHECK(card.attributes.at("fill") == "#ffffff");
  CHECK(card.number("width") == svg.number("width") - 1);
  CHECK(card.number("height") == svg.number("height") - 1);
  const auto texts = svg.all("text");
  CHECK(texts.at(0).text.size() < 100);  // the title, cut
  CHECK(texts.at(1).text == "a");
  CHECK(texts.at(2).text == "b");
  CHECK(texts.at(9).text == "epoch");
  CHECK(texts.at(10).text == "loss");
  CHECK(svg.all("circle").size() == 1);
}

TEST_CASE("a line of the grid and a label stand at each tick", "[report]") {
  const auto ticks = axis_ticks(0, 1, 5);
  const SvgChart chart({"", "x", "y"}, {}, ticks);
  const XmlElement svg = XmlReader::read(chart.text());
  const auto lines = svg.all("g", "grid").at(0).all("path");
  const auto texts = svg.all("g", "y-ticks").at(0).all("text");
  REQUIRE(lines.size() == ticks.values.size());
  REQUIRE(texts.size() == ticks.values.size());
  CHECK(chart.y()(0) == chart.bottom());
  CHECK(chart.y()(1) == chart.top());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto start = path_points(lines[i]).at(0);
    CHECK(start.x == Approx(chart.left()).margin(0.01));
    CHECK(start.y == Approx(chart.y()(ticks.values[i])).margin(0.01));
    CHECK(texts[i].text == ticks.labels[i]);
    CHECK(texts[i].number("y") == Approx(start.y + 4.5).margin(0.02));
  }
}

TEST_CASE("long labels and many names get the room they need", "[report]") {
  const SvgChart narrow({"", "", ""}, {}, {{0, 1}, {"0", "1"}});
  const SvgChart wide({"", "", ""}, {}, {{0, 1}, {"0", "1.000001e-12"}});
  CHECK(wide.left() > narrow.left() + 50);

  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    names.push_back("method number " + std::to_string(i));
  }
  names.emplace_back(200, 'n');
  const SvgChart chart({"title", "x", "y"}, names, axis_ticks(0, 1, 5), /*note=*/20);
  const XmlElement svg = XmlReader::read(chart.text());
  CHECK(chart.bottom() - chart.top() == 300);  // the card grows, not the plot shrinks
  CHECK(svg.number("height") > chart.bottom() + 40);
  const auto texts = svg.all("text");
  double row = 0;
  double end = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const XmlElement& text = texts.at(1 + i);
    CHECK(text.number("y") < chart.top() - 20);
    if (text.number("y") > row) {
      end = 0;
    }
    row = text.number("y");
    CHECK(text.number("x") > end);
    end = text.number("x") + FittedText(text.text, 1e9).width;
    CHECK(end <= chart.right());
  }
}

}  // namespace svg_chart_test
