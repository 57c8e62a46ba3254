#include "regtorch/report/number.hpp"

#include <cstdlib>
#include <limits>

#include "catch.hpp"

namespace number_test {

TEST_CASE("numbers are the shortest text that reads back the same", "[report]") {
  for (const double value :
       {0.1, 1.0 / 3, 1e300, -2.5e-310, 123456789.0, std::numeric_limits<double>::max(),
        -std::numeric_limits<double>::denorm_min()}) {
    CHECK(std::strtod(rt::report::shortest(value).c_str(), nullptr) == value);
  }
  CHECK(rt::report::shortest(0.1) == "0.1");
  CHECK(rt::report::shortest(-std::numeric_limits<double>::infinity()) == "-inf");
}

}  // namespace number_test
