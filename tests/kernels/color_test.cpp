#include "regtorch/kernels/color.hpp"

#include <algorithm>
#include <cmath>

#include "catch.hpp"
#include "hsv_reference.hpp"

namespace color_test {

using namespace regtorch::kernels;
using regtorch::testing::hue_turned;

TEST_CASE("turn_hue turns the hue and keeps saturation and value", "[kernels]") {
  // All corners, edges and faces of the cube among them, and turns onto the borders of sextants.
  double worst = 0;
  for (int r = 0; r <= 255; r += 15) {
    for (int g = 0; g <= 255; g += 15) {
      for (int b = 0; b <= 255; b += 15) {
        for (int i = -12; i <= 12; ++i) {
          const double share = i / 24.0;
          const auto wanted = hue_turned({r / 255.0, g / 255.0, b / 255.0}, share);
          float red = static_cast<float>(r) / 255.0f;
          float green = static_cast<float>(g) / 255.0f;
          float blue = static_cast<float>(b) / 255.0f;
          turn_hue(red, green, blue, static_cast<float>(6 * share));
          worst = std::max({worst, std::abs(red - wanted[0]), std::abs(green - wanted[1]),
                            std::abs(blue - wanted[2])});
        }
      }
    }
  }
  CHECK(worst <= 16 * 0x1p-24);  // a hue of up to 8 is rounded to 2^-22, and so are its channels
}

TEST_CASE("turn_hue: colours that one can say without computing", "[kernels]") {
  float red = 1;
  float green = 0.25f;
  float blue = 0.25f;
  turn_hue(red, green, blue, 2);  // a third of the circle
  CHECK((red == 0.25f && green == 1 && blue == 0.25f));
  turn_hue(red, green, blue, 3);  // the opposite of green is magenta
  CHECK((red == 1 && green == 0.25f && blue == 1));
  turn_hue(red, green, blue, -3);
  CHECK((red == 0.25f && green == 1 && blue == 0.25f));
  for (const float gray : {0.0f, 0.3f, 1.0f}) {
    red = green = blue = gray;
    turn_hue(red, green, blue, 1.7f);
    CHECK((red == gray && green == gray && blue == gray));
  }
}

TEST_CASE("grayscale and clamp_to_unit", "[kernels]") {
  CHECK(grayscale(1, 0, 0) == 0.2989f);
  CHECK(grayscale(0, 1, 0) == 0.587f);
  CHECK(grayscale(0, 0, 1) == 0.114f);
  CHECK(clamp_to_unit(-0.1f) == 0);
  CHECK(clamp_to_unit(0.1f) == 0.1f);
  CHECK(clamp_to_unit(1.1f) == 1);
}

}  // namespace color_test
