#include "regtorch/training/progress_text.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"

namespace progress_text_test {

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
}  // namespace

TEST_CASE("durations have minutes and seconds, then hours, then days", "[training]") {
  using rt::duration_text;
  CHECK(duration_text(0) == "0:00");
  CHECK(duration_text(7) == "0:07");
  CHECK(duration_text(7.49) == "0:07");
  CHECK(duration_text(7.5) == "0:08");
  CHECK(duration_text(59.4) == "0:59");
  CHECK(duration_text(59.6) == "1:00");
  CHECK(duration_text(185) == "3:05");
  CHECK(duration_text(3599) == "59:59");
  CHECK(duration_text(3599.6) == "1:00:00");
  CHECK(duration_text(3723) == "1:02:03");
  CHECK(duration_text(86399) == "23:59:59");
  CHECK(duration_text(86400) == "1d 0h");
  CHECK(duration_text(2 * 86400 + 3 * 3600 + 3599) == "2d 3h");
  CHECK(duration_text(999 * 86400.0 + 23 * 3600) == "999d 23h");
  CHECK(duration_text(1000 * 86400.0) == "?");
  CHECK(duration_text(kInfinity) == "?");
  CHECK(duration_text(std::nan("")) == "?");
  CHECK(duration_text(-3) == "0:00");
}

TEST_CASE("rates have two significant digits or all that stand before the point", "[training]") {
  using rt::rate_text;
  CHECK(rate_text(0) == "0.00/s");
  CHECK(rate_text(0.04) == "0.04/s");
  CHECK(rate_text(0.994) == "0.99/s");
  CHECK(rate_text(0.996) == "1.0/s");
  CHECK(rate_text(3.2) == "3.2/s");
  CHECK(rate_text(9.94) == "9.9/s");
  CHECK(rate_text(9.96) == "10/s");
  CHECK(rate_text(163.4) == "163/s");
  CHECK(rate_text(999.4) == "999/s");
  CHECK(rate_text(999.6) == "1,000/s");
  CHECK(rate_text(1834) == "1,834/s");
  CHECK(rate_text(123456) == "123,456/s");
  CHECK(rate_text(1234567) == "1,234,567/s");
}

TEST_CASE("losses have at most nine characters", "[training]") {
  using rt::loss_text;
  CHECK(loss_text(0) == "0.0000");
  CHECK(loss_text(0.77904) == "0.7790");
  CHECK(loss_text(-1.5) == "-1.5000");
  CHECK(loss_text(999.99) == "999.9900");
  CHECK(loss_text(-999.99999) == "-1000.0000");  // rounded up: the one exception
  CHECK(loss_text(12345) == "1.23e+04");
  CHECK(loss_text(-1e300) == "-1.00e+300");
  CHECK(loss_text(kInfinity) == "inf");
  CHECK(loss_text(std::nan("")) == "nan");
}

TEST_CASE("accuracies are percentages", "[training]") {
  CHECK(rt::accuracy_text(0) == "0.00 %");
  CHECK(rt::accuracy_text(0.72765) == "72.77 %");
  CHECK(rt::accuracy_text(1) == "100.00 %");
  CHECK(rt::accuracy_text(1e306).size() == 309 + 3 + 2);  // nonsense is written, not cut
}

namespace {

struct Part {
  char place;
  int columns;
};

std::string places(const std::vector<Part>& parts, int width) {
  std::string text;
  for (const Part& part : rt::parts_that_fit(parts, width)) {
    text += part.place;
  }
  return text;
}

}  // namespace

TEST_CASE("the important parts stay, in the line's order", "[training]") {
  const std::vector<Part> parts{{'c', 4}, {'a', 3}, {'d', 5}, {'b', 2}};
  CHECK(places(parts, 14) == "abcd");
  CHECK(places(parts, 13) == "acd");
  CHECK(places(parts, 12) == "acd");
  CHECK(places(parts, 11) == "abc");  // d does not fit, b after it does
  CHECK(places(parts, 9) == "abc");
  CHECK(places(parts, 8) == "ac");
  CHECK(places(parts, 6) == "bc");
  CHECK(places(parts, 3) == "a");
  CHECK(places(parts, 1).empty());
  CHECK(places(parts, 0).empty());
  CHECK(places(parts, -1).empty());
  CHECK(places({}, 9).empty());
}

}  // namespace progress_text_test
