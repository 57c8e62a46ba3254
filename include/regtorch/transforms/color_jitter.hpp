#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/kernels/color.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/simd.hpp"

namespace regtorch::transforms {

/// How far each of the four adjustments may go; one that is 0 is left out.
struct ColorJitterOptions {
  /// The factor is uniform in [max(0, 1 - brightness), 1 + brightness]; finite, at least 0.
  TORCH_ARG(double, brightness) = 0;
  /// The same for the contrast's factor.
  TORCH_ARG(double, contrast) = 0;
  /// The same for the saturation's factor.
  TORCH_ARG(double, saturation) = 0;
  /// The hue is turned by a share of the circle uniform in [-hue, hue]; in [0, 0.5].
  TORCH_ARG(double, hue) = 0;
};

/// Changes brightness, contrast, saturation and hue by random factors f, in random order, each
/// order as likely (bias below 2^-30). With x a channel and gray = 0.2989 red + 0.587 green +
/// 0.114 blue,
///
///     brightness:  x <- clamp(f x)
///     contrast:    x <- clamp(f x + (1 - f) mean of gray over the image as it is by then)
///     saturation:  x <- clamp(f x + (1 - f) gray)
///     hue:         H <- H + f (mod 1) in HSV
///
/// with clamp to [0, 1]. Values must be in [0, 1], so this comes before Normalize. For its mean,
/// contrast goes through the image twice.
///
/// @throws c10::ValueError if an option is out of range
///
/// The same as torchvision.transforms.ColorJitter on tensors of floats.
class ColorJitter {
 public:
  /// What is changed.
  enum class Adjustment : std::uint32_t { kBrightness, kContrast, kSaturation, kHue };

  /// With the options above.
  explicit ColorJitter(const ColorJitterOptions& options)
      : reach_{options.brightness(), options.contrast(), options.saturation(), options.hue()} {
    constexpr std::array kNames{"brightness", "contrast", "saturation"};
    for (std::size_t i = 0; i < 3; ++i) {
      TORCH_CHECK_VALUE(reach_[i] >= 0 && std::isfinite(static_cast<float>(reach_[i])),
                        "ColorJitter: wanted a ", kNames[i],
                        " of at least 0, finite in float32, got ", reach_[i]);
    }
    TORCH_CHECK_VALUE(reach_[3] >= 0 && reach_[3] <= 0.5,
                      "ColorJitter: wanted a hue in [0, 0.5], got ", reach_[3]);
  }

  /// What is drawn for an image.
  struct Draw {
    std::array<Adjustment, 4> order;  ///< the first `count` are made
    int count;                        ///< how many
    std::array<float, 4> factor;      ///< of each Adjustment
    float mean;                       ///< of gray, just before the contrast is changed
  };

  /// @{
  /// What a Pipeline calls: see kernels/image_transform.hpp.
  // Never inlined, so compiled for one instruction set: the factors have the same bits on all.
  __attribute__((noinline)) Draw draw(kernels::RandomWords& random, kernels::ImageSize) const {
    Draw draw{};
    std::array order{Adjustment::kBrightness, Adjustment::kContrast, Adjustment::kSaturation,
                     Adjustment::kHue};
    for (std::uint32_t i = 3; i >= 1; --i) {
      std::swap(order[i], order[kernels::bounded(random.next(), i + 1)]);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const double low = i == 3 ? -reach_[i] : std::max(0.0, 1 - reach_[i]);
      const double high = i == 3 ? reach_[i] : 1 + reach_[i];
      draw.factor[i] = static_cast<float>(low + (high - low) * (random.next() * 0x1p-32));
    }
    for (const Adjustment adjustment : order) {
      if (reach_[static_cast<std::size_t>(adjustment)] > 0) {
        draw.order[static_cast<std::size_t>(draw.count++)] = adjustment;
      }
    }
    return draw;
  }

  REGTORCH_INLINE void block(kernels::PixelBlock& block, const Draw& draw, int,
                             const int (&)[kernels::kLanes]) const {
    adjust(block, draw, draw.count);
  }

  bool needs_mean(const Draw&) const { return reach_[1] > 0; }
  REGTORCH_INLINE void measure(kernels::PixelBlock block, const Draw& draw,
                               float (&gray)[kernels::kLanes]) const {
    const auto contrast = std::find(draw.order.begin(), draw.order.end(), Adjustment::kContrast);
    adjust(block, draw, static_cast<int>(contrast - draw.order.begin()));
    for (int i = 0; i < kernels::kLanes; ++i) {
      gray[i] = kernels::grayscale(block.red[i], block.green[i], block.blue[i]);
    }
  }
  /// @}

 private:
  /// Makes the first `count` adjustments.
  REGTORCH_INLINE static void adjust(kernels::PixelBlock& block, const Draw& draw, int count) {
    for (int step = 0; step < count; ++step) {
      const auto adjustment = draw.order[static_cast<std::size_t>(step)];
      const float factor = draw.factor[static_cast<std::size_t>(adjustment)];
      const auto blend = [&](auto with) REGTORCH_INLINE_LAMBDA {
        for (int i = 0; i < kernels::kLanes; ++i) {
          const float other = (1.0f - factor) * with(block.red[i], block.green[i], block.blue[i]);
          block.red[i] = kernels::clamp_to_unit(factor * block.red[i] + other);
          block.green[i] = kernels::clamp_to_unit(factor * block.green[i] + other);
          block.blue[i] = kernels::clamp_to_unit(factor * block.blue[i] + other);
        }
      };
      switch (adjustment) {
        case Adjustment::kBrightness:
          blend([](float, float, float) REGTORCH_INLINE_LAMBDA { return 0.0f; });
          break;
        case Adjustment::kContrast:
          blend([&](float, float, float) REGTORCH_INLINE_LAMBDA { return draw.mean; });
          break;
        case Adjustment::kSaturation:
          blend([](float red, float green, float blue)
                    REGTORCH_INLINE_LAMBDA { return kernels::grayscale(red, green, blue); });
          break;
        case Adjustment::kHue:
          for (int i = 0; i < kernels::kLanes; ++i) {
            kernels::turn_hue(block.red[i], block.green[i], block.blue[i], 6.0f * factor);
          }
          break;
      }
    }
  }

  std::array<double, 4> reach_;  // of each Adjustment
};

}  // namespace regtorch::transforms
