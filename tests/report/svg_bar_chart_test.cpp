#include "regtorch/report/svg_bar_chart.hpp"

#include <limits>
#include <regex>

#include "catch.hpp"

namespace svg_bar_chart_test {

using rt::testing::contains;
using rt::testing::error_of;

namespace {

/// The attribute of each element of a class, in order.
std::vector<double> attributes(const std::string& svg, const std::string& of_class,
                               const std::string& name) {
  std::vector<double> values;
  const std::regex element("class=\"" + of_class + "\"[^>]* " + name + "=\"([-0-9.]+)\"");
  for (std::sregex_iterator i(svg.begin(), svg.end(), element), end; i != end; ++i) {
    values.push_back(std::stod((*i)[1]));
  }
  return values;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("svg_bar_chart: lengths are in proportion to the values, from a common edge",
          "[report]") {
  const auto svg = rt::report::svg_bar_chart(
      {{"a", 20, 0, "20"}, {"b", 40, 0, "40"}, {"c", 0, 0, ""}}, "Title", "percent");
  const auto widths = attributes(svg, "bar", "width");
  const auto edges = attributes(svg, "bar", "x");
  REQUIRE(widths.size() == 3);
  CHECK(widths[1] == Approx(2 * widths[0]).margin(0.02));
  CHECK(widths[0] > 50);
  CHECK(widths[2] == 0);
  CHECK(edges == std::vector<double>(3, edges[0]));
  const auto rows = attributes(svg, "bar", "y");
  CHECK(rows[1] - rows[0] == Approx(rows[2] - rows[1]));
  for (const char* text : {">a<", ">b<", ">20<", ">40<", ">Title<", ">percent<"}) {
    CHECK(contains(svg, text));
  }
}

TEST_CASE("svg_bar_chart: whiskers only where there is a finite interval, and inside", "[report]") {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto svg = rt::report::svg_bar_chart(
      {{"a", 70, 2, "70"}, {"b", 71, infinity, "71"}, {"c", 71, 0, "71"}, {"d", 1, 3, "1"}}, "",
      "");
  CHECK(count(svg, "class=\"whisker\"") == 2);
  const auto edge = attributes(svg, "bar", "x")[0];
  const auto per_unit = attributes(svg, "bar", "width")[0] / 70;
  std::smatch first;
  REQUIRE(std::regex_search(svg, first,
                            std::regex("class=\"whisker\" d=\"M([0-9.]+) [^H]*H([0-9.]+)")));
  CHECK(std::stod(first[1]) == Approx(edge + 68 * per_unit).margin(0.05));
  CHECK(std::stod(first[2]) == Approx(edge + 72 * per_unit).margin(0.05));
  std::smatch last;  // of d: cut off at 0
  const auto tail = svg.substr(svg.rfind("class=\"whisker\""));
  REQUIRE(std::regex_search(tail, last, std::regex("d=\"M([0-9.]+) ")));
  CHECK(std::stod(last[1]) == Approx(edge));
}

TEST_CASE("svg_bar_chart: any names, and bad values are named", "[report]") {
  const auto svg =
      rt::report::svg_bar_chart({{"<b> & " + std::string(300, 'x'), 1, 0, ""}}, "\xff", "");
  CHECK(contains(svg, "&lt;b&gt; &amp; x"));
  CHECK(contains(svg, "\u2026"));
  CHECK_FALSE(contains(svg, "\xff"));
  CHECK(contains(error_of([] { rt::report::svg_bar_chart({}, "", ""); }), "at least 1 bar"));
  for (const double wrong : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK(contains(error_of([&] {
                     rt::report::svg_bar_chart({{"loss", wrong, 0, ""}}, "", "");
                   }),
                   "for 'loss'"));
  }
}

}  // namespace svg_bar_chart_test
