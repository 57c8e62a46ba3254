// Compositions of the transforms with any parameters, on images of any size and place, on every
// instruction set of the machine: each pixel is what one-pixel-at-a-time code makes of the same
// transforms, and layouts, types and parts of a batch all agree bit for bit.

#include "regtorch/kernels/image_pipeline.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "fuzz.hpp"
#include "regtorch/transforms/color_jitter.hpp"
#include "regtorch/transforms/cutout.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_erasing.hpp"
#include "regtorch/transforms/random_grayscale.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

using namespace regtorch::kernels;
using namespace regtorch::transforms;
using regtorch::testing::require;
using regtorch::testing::succeeds;

namespace {

struct Batch {
  ImageSize size;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> ids;
  RandomStream stream;
};

/// One image, pixel by pixel: what the pipeline's documentation says, with none of its machinery.
template <class... Transforms>
class Reference {
 public:
  Reference(const std::tuple<Transforms...>& transforms, const Batch& batch, std::size_t image)
      : transforms_(transforms),
        bytes_(batch.pixels.data() + image * 3 * pixels(batch.size)),
        in_(batch.size) {
    draw<0>(batch.size, batch.stream, static_cast<std::uint64_t>(batch.ids[image]));
  }

  std::array<float, 3> pixel(int y, int x) const { return pixel_of<sizeof...(Transforms)>(y, x); }

  static std::size_t pixels(ImageSize size) {
    return static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
  }

 private:
  template <std::size_t K>
  void draw(ImageSize size, RandomStream stream, std::uint64_t id) {
    if constexpr (K < sizeof...(Transforms)) {
      using Transform = std::tuple_element_t<K, std::tuple<Transforms...>>;
      const auto& transform = std::get<K>(transforms_);
      auto& drawn = std::get<K>(draws_);
      const auto purpose = stream.purpose + 4096 * static_cast<std::uint32_t>(K);
      drawn = draw_for(transform, RandomWords({stream.seed, stream.pass, purpose}, id), size);
      if constexpr (MeasuringTransform<Transform>) {
        drawn.mean = mean_of<K>(size);
      }
      if constexpr (GeometricTransform<Transform>) {
        size = transform.output_size(size);
      }
      draw<K + 1>(size, stream, id);
    }
  }

  template <std::size_t K>
  float mean_of(ImageSize size) const {
    double sum = 0;
    for (int y = 0; y < size.height; ++y) {
      for (int x = 0; x < size.width; ++x) {
        float quantity[kLanes];
        std::get<K>(transforms_)
            .measure(block_of(pixel_of<K>(y, x)), std::get<K>(draws_), quantity);
        sum += static_cast<double>(quantity[0]);
      }
    }
    return static_cast<float>(sum / static_cast<double>(pixels(size)));
  }

  static PixelBlock block_of(const std::array<float, 3>& pixel) {
    PixelBlock block{};
    block.red[0] = pixel[0];
    block.green[0] = pixel[1];
    block.blue[0] = pixel[2];
    return block;
  }

  /// Of the image after the first K transforms.
  template <std::size_t K>
  std::array<float, 3> pixel_of(int y, int x) const {
    if constexpr (K == 0) {
      std::array<float, 3> pixel{};
      const auto width = static_cast<std::size_t>(in_.width);
      for (std::size_t c = 0; c < 3; ++c) {
        pixel[c] = static_cast<float>(bytes_[c * pixels(in_) + static_cast<std::size_t>(y) * width +
                                             static_cast<std::size_t>(x)]) *
                   (1.0f / 255.0f);
      }
      return pixel;
    } else {
      using Transform = std::tuple_element_t<K - 1, std::tuple<Transforms...>>;
      const auto& transform = std::get<K - 1>(transforms_);
      const auto& drawn = std::get<K - 1>(draws_);
      if constexpr (GeometricTransform<Transform>) {
        const int row = transform.source_row(drawn, y);
        const int column = transform.source_column(drawn, x);
        return row == kOutside || column == kOutside ? std::array<float, 3>{}
                                                     : pixel_of<K - 1>(row, column);
      } else if constexpr (BlockTransform<Transform>) {
        PixelBlock block = block_of(pixel_of<K - 1>(y, x));
        const int columns[kLanes] = {x};
        transform.block(block, drawn, y, columns);
        return {block.red[0], block.green[0], block.blue[0]};
      } else {
        auto pixel = pixel_of<K - 1>(y, x);
        transform.pixel(pixel[0], pixel[1], pixel[2]);
        return pixel;
      }
    }
  }

  const std::tuple<Transforms...>& transforms_;
  std::tuple<DrawOf<Transforms>...> draws_{};
  const std::uint8_t* bytes_;
  ImageSize in_;
};

/// @param bound  how far a value may be from the reference's
template <class... Transforms>
void check(const std::tuple<Transforms...>& transforms, const Batch& batch, std::size_t begin,
           float bound) {
  const ImageSize out = output_size(transforms, batch.size);
  const std::size_t plane = Reference<>::pixels(out);
  const std::size_t images = batch.ids.size();
  constexpr float kUntouched = -12345;
  const auto run = [&](auto& to, PixelType type, bool channels_last, Isa isa) {
    transform_images(transforms, {batch.pixels.data(), batch.ids.data(), batch.size},
                     {to.data(), type, channels_last}, static_cast<std::int64_t>(begin),
                     static_cast<std::int64_t>(images), batch.stream, isa);
  };
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    std::vector<float> planes(images * 3 * plane, kUntouched);
    std::vector<float> pixels = planes;
    std::vector<std::uint16_t> short_planes(planes.size(), to_bfloat16(kUntouched));
    std::vector<std::uint16_t> short_pixels = short_planes;
    run(planes, PixelType::kFloat32, false, isa);
    run(pixels, PixelType::kFloat32, true, isa);
    run(short_planes, PixelType::kBFloat16, false, isa);
    run(short_pixels, PixelType::kBFloat16, true, isa);
    for (std::size_t n = 0; n < images; ++n) {
      const Reference<Transforms...> reference(transforms, batch, n);
      for (std::size_t i = 0; i < plane; ++i) {
        const int y = static_cast<int>(i) / out.width;
        const int x = static_cast<int>(i) % out.width;
        const auto wanted =
            n < begin ? std::array{kUntouched, kUntouched, kUntouched} : reference.pixel(y, x);
        for (std::size_t c = 0; c < 3; ++c) {
          const float value = planes[(n * 3 + c) * plane + i];
          // Nobody fuses a multiplication and an addition for the baseline, as nobody does here.
          const float within = isa == Isa::kBaseline && bound < 1e-4f ? 0 : bound;
          require(std::abs(value - wanted[c]) <= within, "each pixel is the reference's");
          const std::size_t last = (n * plane + i) * 3 + c;
          require(pixels[last] == value, "the layouts agree");
          require(short_planes[(n * 3 + c) * plane + i] == to_bfloat16(value), "the types agree");
          require(short_pixels[last] == to_bfloat16(value), "the types agree");
        }
      }
    }
  }
}

// ---- Transforms with any parameters, also wrong ones. ----

/// Wrong is one in sixteen.
double number(FuzzedDataProvider& input, double least, double greatest) {
  return input.ConsumeIntegralInRange(0, 15) == 0
             ? input.ConsumeFloatingPoint<double>()
             : input.ConsumeFloatingPointInRange(least, greatest);
}
std::array<double, 3> color(FuzzedDataProvider& input) {
  return {input.ConsumeFloatingPointInRange(-4.0, 4.0), 0.5, number(input, -4, 4)};
}
RandomCrop any_crop(FuzzedDataProvider& input) {
  const int size = input.ConsumeIntegralInRange(-1, 100);
  return RandomCrop(size, input.ConsumeIntegralInRange(-1, 40),
                    input.ConsumeBool() ? PaddingMode::kReflect : PaddingMode::kZero);
}
RandomHorizontalFlip any_flip(FuzzedDataProvider& input) {
  return RandomHorizontalFlip(number(input, 0, 1));
}
Cutout any_cutout(FuzzedDataProvider& input) {
  const int size = input.ConsumeBool() ? input.ConsumeIntegralInRange(1, 20)
                                       : input.ConsumeIntegral<std::int16_t>();
  return Cutout(size, color(input));
}
RandomGrayscale any_grayscale(FuzzedDataProvider& input) {
  return RandomGrayscale(number(input, 0, 1));
}
/// Of a deviation that magnifies no rounding error more than ten times.
Normalize any_normalize(FuzzedDataProvider& input) {
  const double mean = input.ConsumeFloatingPointInRange(-1.0, 1.0);
  const double deviation = input.ConsumeFloatingPointInRange(0.1, 4.0);
  return Normalize({mean, 0.5, 0.25}, {deviation, 0.5, 1});
}
RandomErasing any_erasing(FuzzedDataProvider& input) {
  RandomErasingOptions options;
  options.p(number(input, 0, 1));
  options.scale({number(input, 0, 0.5), number(input, 0.5, 1)});
  options.ratio({number(input, 1e-3, 1), number(input, 1, 1e3)});
  return RandomErasing(options.fill(color(input)).noise(input.ConsumeBool()));
}
ColorJitter any_jitter(FuzzedDataProvider& input) {
  ColorJitterOptions options;
  options.brightness(input.ConsumeFloatingPointInRange(0.0, 2.0));
  options.contrast(input.ConsumeFloatingPointInRange(0.0, 2.0));
  options.saturation(input.ConsumeFloatingPointInRange(0.0, 2.0));
  return ColorJitter(options.hue(number(input, 0, 0.5)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input(data, size);
  Batch batch;
  batch.size.height = input.ConsumeIntegralInRange(1, 40);
  batch.size.width = input.ConsumeIntegralInRange(1, input.ConsumeBool() ? 70 : 300);
  batch.ids.resize(input.ConsumeIntegralInRange<std::size_t>(1, 3));
  for (auto& id : batch.ids) {
    id = input.ConsumeIntegral<std::int64_t>();
  }
  batch.stream = {input.ConsumeIntegral<std::uint64_t>(), input.ConsumeIntegral<std::uint32_t>(),
                  0};
  const auto begin = input.ConsumeIntegralInRange<std::size_t>(0, batch.ids.size());
  batch.pixels.resize(batch.ids.size() * 3 * Reference<>::pixels(batch.size));
  const auto first = input.ConsumeIntegral<std::uint32_t>();
  for (std::size_t i = 0; i < batch.pixels.size(); ++i) {
    batch.pixels[i] = static_cast<std::uint8_t>((first + i) * 2654435761u >> 24);
  }
  const int composition = input.ConsumeIntegralInRange(0, 2);
  succeeds<c10::ValueError>([&] {
    // In braces, which fix the order in which parameters are read.
    switch (composition) {
      case 0:  // which only moves and fills, so that every instruction set gives the same bits
        return check(std::tuple{any_flip(input), any_crop(input), any_cutout(input),
                                any_crop(input), any_erasing(input)},
                     batch, begin, 0);
      case 1:  // a fill of its own after each arithmetic step
        return check(std::tuple{any_normalize(input), any_crop(input), any_flip(input),
                                any_normalize(input), any_crop(input)},
                     batch, begin, 2e-5f);
      default:
        return check(
            std::tuple{any_crop(input), any_jitter(input), any_grayscale(input), any_flip(input)},
            batch, begin, 1e-3f);
    }
  });
  return 0;
}
