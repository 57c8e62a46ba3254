#include "regtorch/report/svg_series.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <set>
#include <string>

#include "catch.hpp"
#include "report/svg_reader.hpp"

namespace svg_series_test {

using regtorch::testing::XmlElement;
using regtorch::testing::XmlReader;
using rt::report::series_group;
using rt::report::series_marker;

namespace {

/// The relative luminance of "#rrggbb", as the WCAG define it.
double luminance(const std::string& color) {
  double sum = 0;
  const std::array<double, 3> weights{0.2126, 0.7152, 0.0722};
  for (std::size_t i = 0; i < 3; ++i) {
    const double part =
        static_cast<double>(std::strtol(color.substr(1 + 2 * i, 2).c_str(), nullptr, 16)) / 255;
    sum += weights[i] * (part <= 0.04045 ? part / 12.92 : std::pow((part + 0.055) / 1.055, 2.4));
  }
  return sum;
}

}  // namespace

TEST_CASE("series can be told apart without their colours", "[report]") {
  std::set<std::string> all;
  std::set<std::string> grey;
  for (std::size_t i = 0; i < 105; ++i) {
    const XmlElement group = XmlReader::read(series_group(i).text());
    const std::string look =
        group.attributes.at("stroke-dasharray") + series_marker(i, 0, 0).text();
    all.insert(group.attributes.at("stroke") + look);
    grey.insert(look);
    // On white, 4.5 to 1 is what small text needs.
    CHECK(1.05 / (luminance(group.attributes.at("stroke")) + 0.05) >= 4.5);
  }
  CHECK(all.size() == 105);
  CHECK(grey.size() == 15);
}

TEST_CASE("a marker lies where it should", "[report]") {
  for (std::size_t i = 0; i < 5; ++i) {
    const XmlElement marker = XmlReader::read(series_marker(i, 12.5, 7).text());
    CHECK(marker.attributes.at("d").substr(0, 7) == "M12.5 7");
  }
}

}  // namespace svg_series_test
