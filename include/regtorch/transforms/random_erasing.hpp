#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/arg.h>

#include "regtorch/kernels/beta.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/transforms/fill.hpp"

namespace regtorch::transforms {

/// How often an image loses a rectangle, how large that is, and what it becomes.
struct RandomErasingOptions {
  /// From the first number to the second.
  using Range = std::pair<double, double>;
  /// A number for each channel.
  using Color = std::array<double, 3>;

  /// Probability in [0, 1].
  TORCH_ARG(double, p) = 0.5;
  /// Least and greatest area, as shares of the image's, in [0, 1].
  TORCH_ARG(Range, scale) = {0.02, 0.33};
  /// Least and greatest height / width, positive and finite.
  TORCH_ARG(Range, ratio) = {0.3, 3.3};
  /// What the rectangle becomes, a number a channel, in the unit that values have at this place of
  /// the pipeline; finite.
  TORCH_ARG(Color, fill) = {0, 0, 0};
  /// Instead of `fill`, a number of N(0, 1) for each pixel and channel.
  TORCH_ARG(bool, noise) = false;
};

/// Erases a rectangle of random size, shape and place from an image, with probability p.
///
///     area = H W u,  u uniform in scale;      log r uniform in [log ratio.first, log ratio.second]
///     height = round(sqrt(area r)),           width = round(sqrt(area / r))
///
/// at a place uniform among those inside the image (bias below 2^-32). If it is not lower and
/// narrower than the image, another is drawn; if the tenth is not either, nothing is erased.
///
/// @throws c10::ValueError if an option is out of range
///
/// The same as torchvision.transforms.RandomErasing; `noise` is its value="random".
///
/// Source: Zhong, Zheng, Kang, Li, Yang, "Random erasing data augmentation", AAAI 2020,
/// arXiv:1708.04896.
class RandomErasing {
 public:
  /// With the options above.
  explicit RandomErasing(const RandomErasingOptions& options = {})
      : options_(options), fill_("RandomErasing", options.fill()) {
    const auto [least, greatest] = options.scale();
    TORCH_CHECK_VALUE(options.p() >= 0 && options.p() <= 1,
                      "RandomErasing: wanted p in [0, 1], got ", options.p());
    TORCH_CHECK_VALUE(least >= 0 && least <= greatest && greatest <= 1,
                      "RandomErasing: wanted a scale with 0 <= least <= greatest <= 1, got ", least,
                      " and ", greatest);
    const auto [lowest, highest] = options.ratio();
    TORCH_CHECK_VALUE(lowest > 0 && lowest <= highest && std::isfinite(highest),
                      "RandomErasing: wanted a ratio with 0 < least <= greatest, finite, got ",
                      lowest, " and ", highest);
  }

  /// What is drawn for an image: the rectangle.
  struct Draw {
    int top = 0;                   ///< first row
    int left = 0;                  ///< first column
    int height = 0;                ///< 0: nothing is erased
    int width = 0;                 ///< in pixels
    std::uint64_t noise_seed = 0;  ///< of the noise that it is filled with
  };

  /// @{
  /// What a Pipeline calls: see kernels/image_transform.hpp.
  // Never inlined, so compiled for one instruction set: the rectangle is the same on all.
  __attribute__((noinline)) Draw draw(kernels::RandomWords& random, kernels::ImageSize in) const {
    const auto uniform = [&](double low, double high) {
      return low + (high - low) * (random.next() * 0x1p-32);
    };
    const auto place = [&](int places) {
      return static_cast<int>(kernels::bounded(random.next(), static_cast<std::uint32_t>(places)));
    };
    if (random.next() >= kernels::threshold(options_.p())) {
      return {};
    }
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double area = static_cast<double>(in.height) * in.width *
                          uniform(options_.scale().first, options_.scale().second);
      const double ratio =
          std::exp(uniform(std::log(options_.ratio().first), std::log(options_.ratio().second)));
      const double height = std::round(std::sqrt(area * ratio));
      const double width = std::round(std::sqrt(area / ratio));
      if (height < in.height && width < in.width) {
        Draw draw{0, 0, static_cast<int>(height), static_cast<int>(width), 0};
        draw.top = place(in.height - draw.height + 1);
        draw.left = place(in.width - draw.width + 1);
        draw.noise_seed = random.next();
        draw.noise_seed = draw.noise_seed << 32 | random.next();
        return draw;
      }
    }
    return {};
  }

  REGTORCH_INLINE void block(kernels::PixelBlock& block, const Draw& draw, int y,
                             const int (&x)[kernels::kLanes]) const {
    if (y < draw.top || y >= draw.top + draw.height) {
      return;
    }
    if (options_.noise()) {
      return erase_with_noise(block, draw, y, x);
    }
    fill_(block, x, draw.left, draw.width);
  }
  kernels::PixelOperation device_operation(const Draw& draw) const {
    const kernels::PixelBox box{draw.top, draw.left, draw.height, draw.width};
    return options_.noise() ? kernels::PixelOperation::noise(box, draw.noise_seed)
                            : kernels::PixelOperation::fill(box, fill_.color());
  }
  /// @}

 private:
  /// Each pixel's three numbers are a function of the noise's seed and its place.
  // Never inlined, as above; and pixel by pixel, since it calls log and cos.
  __attribute__((noinline)) static void erase_with_noise(kernels::PixelBlock& block,
                                                         const Draw& draw, int y,
                                                         const int (&x)[kernels::kLanes]) {
    for (int i = 0; i < kernels::kLanes; ++i) {
      if (x[i] >= draw.left && x[i] < draw.left + draw.width) {
        const auto place = static_cast<std::uint64_t>(y) << 32 | static_cast<std::uint64_t>(x[i]);
        kernels::RandomWords random({draw.noise_seed, 0, 0}, place);
        block.red[i] = static_cast<float>(kernels::normal_number(random));
        block.green[i] = static_cast<float>(kernels::normal_number(random));
        block.blue[i] = static_cast<float>(kernels::normal_number(random));
      }
    }
  }

  RandomErasingOptions options_;
  detail::Fill fill_;
};

}  // namespace regtorch::transforms
