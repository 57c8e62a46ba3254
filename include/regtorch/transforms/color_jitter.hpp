#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/transforms/color_math.hpp"

namespace regtorch::transforms {

/// How far ColorJitter goes.
struct ColorJitterOptions {
  /// Factor uniform in [max(0, 1 - brightness), 1 + brightness]; at least 0, default 0: unchanged.
  TORCH_ARG(double, brightness) = 0;
  /// Factor uniform in [max(0, 1 - contrast), 1 + contrast]; at least 0, default 0: unchanged.
  TORCH_ARG(double, contrast) = 0;
  /// Factor uniform in [max(0, 1 - saturation), 1 + saturation]; at least 0, default 0: unchanged.
  TORCH_ARG(double, saturation) = 0;
  /// Turn of the colour circle, uniform in [-hue, hue]; in [0, 0.5], default 0: unchanged.
  TORCH_ARG(double, hue) = 0;
};

/// Changes brightness, contrast, saturation and hue of an image, in random order:
///
///     brightness   x <- clamp(f x)
///     contrast     x <- clamp(f x + (1 - f) m),   m: the mean of gray over the whole image
///     saturation   x <- clamp(f x + (1 - f) gray)
///     hue          turns the colour by a part of the full circle, in HSV
///
/// with clamp to [0, 1], gray = 0.2989 red + 0.587 green + 0.114 blue, and one factor of each kind
/// an image. Values must be in [0, 1]: it stands before Normalize. The contrast's mean takes a
/// second pass over the image.
///
/// @throws c10::ValueError for an option out of range
///
/// The same as torchvision.transforms.ColorJitter on float images.
class ColorJitter {
 public:
  explicit ColorJitter(ColorJitterOptions options) : options_(options) {
    for (const auto& [name, value] : {std::pair{"brightness", options_.brightness()},
                                      {"contrast", options_.contrast()},
                                      {"saturation", options_.saturation()}}) {
      TORCH_CHECK_VALUE(value >= 0 && std::isfinite(value), "ColorJitter: wanted a ", name,
                        " of at least 0, got ", value);
    }
    TORCH_CHECK_VALUE(options_.hue() >= 0 && options_.hue() <= 0.5,
                      "ColorJitter: wanted a hue in [0, 0.5], got ", options_.hue());
  }

  enum Step { kBrightness, kContrast, kSaturation, kHue };
  static constexpr std::size_t kSteps = 4;

  struct Draw {
    std::array<Step, kSteps> order;
    std::array<float, kSteps> amount;  ///< the factor of each Step, and the turn
    float mean;                        ///< of gray, when contrast's turn comes
  };

  Draw draw(kernels::RandomWords& random, kernels::ImageSize) const {
    Draw draw{{kBrightness, kContrast, kSaturation, kHue}, {}, 0};
    for (std::uint32_t i = kSteps - 1; i > 0; --i) {
      std::swap(draw.order[i], draw.order[kernels::bounded(random.next(), i + 1)]);
    }
    const auto between = [&](double low, double high) {
      return static_cast<float>(low + (high - low) * (random.next() / 4294967295.0));
    };
    const auto factor = [&](double strength) {
      return between(std::max(0.0, 1 - strength), 1 + strength);
    };
    draw.amount = {factor(options_.brightness()), factor(options_.contrast()),
                   factor(options_.saturation()), between(-options_.hue(), options_.hue())};
    return draw;
  }

  bool wants_mean(const Draw&) const { return options_.contrast() > 0; }
  float measure(float red, float green, float blue, const Draw& draw) const {
    for (const Step step : draw.order) {
      if (step == kContrast) {
        break;
      }
      change(step, red, green, blue, draw);
    }
    return detail::gray(red, green, blue);
  }
  void set_mean(Draw& draw, float mean) const { draw.mean = mean; }

  void pixel(float& red, float& green, float& blue, const Draw& draw, int, int) const {
    for (const Step step : draw.order) {
      change(step, red, green, blue, draw);
    }
  }

 private:
  void change(Step step, float& red, float& green, float& blue, const Draw& draw) const {
    const float amount = draw.amount[step];
    switch (step) {
      case kBrightness:
        if (options_.brightness() > 0) {
          detail::blend(red, green, blue, 0, amount);
        }
        break;
      case kContrast:
        if (options_.contrast() > 0) {
          detail::blend(red, green, blue, draw.mean, amount);
        }
        break;
      case kSaturation:
        if (options_.saturation() > 0) {
          detail::blend(red, green, blue, detail::gray(red, green, blue), amount);
        }
        break;
      case kHue:
        if (options_.hue() > 0) {
          detail::turn_hue(red, green, blue, amount);
        }
        break;
    }
  }

  ColorJitterOptions options_;
};

}  // namespace regtorch::transforms
