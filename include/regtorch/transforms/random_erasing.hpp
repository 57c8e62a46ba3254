#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/kernels/beta.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/transforms/fill.hpp"

namespace regtorch::transforms {

/// What RandomErasing erases, and with what.
struct RandomErasingOptions {
  /// The probability that a rectangle is tried, in [0, 1]; default 0.5.
  TORCH_ARG(double, p) = 0.5;
  /// The least and the greatest share of the image's area, 0 < least <= greatest <= 1; default
  /// (0.02, 0.33).
  using Range = std::pair<double, double>;
  TORCH_ARG(Range, scale) = {0.02, 0.33};
  /// The least and the greatest height / width, 0 < least <= greatest; default (0.3, 3.3).
  TORCH_ARG(Range, ratio) = {0.3, 3.3};
  /// Red, green and blue of the rectangle, in the units that values have at this place of the
  /// pipeline; default 0.
  using Color = std::array<double, 3>;
  TORCH_ARG(Color, fill) = {0, 0, 0};
  /// Standard normal noise, for each pixel and channel on its own, instead of the fill; default
  /// false.
  TORCH_ARG(bool, noise) = false;
};

/// Replaces a rectangle of an image with probability p.
///
///     area   = u * H * W,              u uniform in scale
///     r      = exp(v),                 v uniform in [log(ratio.first), log(ratio.second)]
///     height = round(sqrt(area * r))
///     width  = round(sqrt(area / r))
///
/// at a uniformly random place. A rectangle as high as the image, or as wide, is drawn again, up to
/// ten times; after that the image stays as it is.
///
/// @throws c10::ValueError for an option out of range
///
/// The same as torchvision.transforms.RandomErasing; noise(true) is its value="random".
///
/// Source: Zhong, Zheng, Kang, Li, Yang, "Random erasing data augmentation", AAAI 2020.
class RandomErasing {
 public:
  explicit RandomErasing(RandomErasingOptions options = {})
      : options_(options), fill_(detail::fill_color("RandomErasing", options.fill())) {
    const auto [least_area, greatest_area] = options_.scale();
    const auto [least_ratio, greatest_ratio] = options_.ratio();
    TORCH_CHECK_VALUE(options_.p() >= 0 && options_.p() <= 1,
                      "RandomErasing: wanted p in [0, 1], got ", options_.p());
    TORCH_CHECK_VALUE(least_area > 0 && least_area <= greatest_area && greatest_area <= 1,
                      "RandomErasing: wanted a scale 0 < least <= greatest <= 1, got (", least_area,
                      ", ", greatest_area, ")");
    TORCH_CHECK_VALUE(
        least_ratio > 0 && least_ratio <= greatest_ratio && std::isfinite(greatest_ratio),
        "RandomErasing: wanted a ratio 0 < least <= greatest, got (", least_ratio, ", ",
        greatest_ratio, ")");
    threshold_ = kernels::threshold(options_.p());
  }

  struct Draw {
    int top;
    int left;
    int height;  ///< 0: nothing is erased
    int width;
    std::uint64_t noise_seed;
  };

  Draw draw(kernels::RandomWords& random, kernels::ImageSize in) const {
    Draw draw{};
    if (random.next() >= threshold_) {
      return draw;
    }
    const auto between = [&](double low, double high) {
      return low + (high - low) * (random.next() + 0.5) / 4294967296.0;
    };
    const auto [least_area, greatest_area] = options_.scale();
    const double least_log = std::log(options_.ratio().first);
    const double greatest_log = std::log(options_.ratio().second);
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double area = between(least_area, greatest_area) * in.height * in.width;
      const double ratio = std::exp(between(least_log, greatest_log));
      const double height = std::round(std::sqrt(area * ratio));
      const double width = std::round(std::sqrt(area / ratio));
      if (height >= in.height || width >= in.width) {
        continue;
      }
      draw.height = static_cast<int>(height);
      draw.width = static_cast<int>(width);
      draw.top = place(random, in.height - draw.height);
      draw.left = place(random, in.width - draw.width);
      if (options_.noise()) {
        const std::uint64_t high = random.next();
        draw.noise_seed = high << 32 | random.next();
      }
      return draw;
    }
    return draw;
  }
  void pixel(float& red, float& green, float& blue, const Draw& draw, int y, int x) const {
    const bool erased = detail::inside(y, x, draw.top, draw.left, draw.height, draw.width);
    if (options_.noise()) {
      if (erased) {
        // A pixel's noise is a function of the image's draw and the pixel's place alone.
        const auto place = static_cast<std::uint64_t>(y) << 32 | static_cast<std::uint64_t>(x);
        kernels::RandomWords random({draw.noise_seed, 0, 0}, place);
        red = static_cast<float>(kernels::normal_number(random));
        green = static_cast<float>(kernels::normal_number(random));
        blue = static_cast<float>(kernels::normal_number(random));
      }
      return;
    }
    red = erased ? fill_[0] : red;
    green = erased ? fill_[1] : green;
    blue = erased ? fill_[2] : blue;
  }

 private:
  static int place(kernels::RandomWords& random, int room) {
    return static_cast<int>(kernels::bounded(random.next(), static_cast<std::uint32_t>(room) + 1));
  }

  RandomErasingOptions options_;
  std::array<float, 3> fill_;
  std::uint64_t threshold_ = 0;
};

}  // namespace regtorch::transforms
