#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <vector>

#include "regtorch/kernels/bfloat16.hpp"
#include "regtorch/kernels/image_stages.hpp"
#include "regtorch/kernels/select_columns.hpp"
#include "regtorch/kernels/simd.hpp"

/// The image pipeline: bytes in, any composition of transforms, floats out, in one pass.
///
/// How. Geometric transforms move whole rows and columns, so all of them together come down to one
/// table of source rows and one of source columns for each image. An output row is then made by
/// picking its bytes out of the source row (`SelectColumns`) and taking blocks of kLanes pixels
/// through the transforms, first to last, and to their place. The recursion over the tuple of
/// transforms is unrolled by the compiler: pixel transforms that follow each other, and the last
/// one and the store, are one loop, in registers. A transform that brings its own loops costs a
/// write and a read of the first-level cache; one that needs a mean over its image a pass of its
/// own, without a store, up to that transform.
///
/// Memory traffic: 3 bytes read and 12 (float32) or 6 (bfloat16) written a pixel, so at a copy
/// speed of B bytes/s the limit for 32x32 images is B / 15,360 (or B / 9,216) images a second.
namespace regtorch::kernels {

enum class PixelType { kFloat32, kBFloat16 };

/// Where a batch's images lie: `pixels` is uint8 [N,3,H,W], contiguous; image n's randomness is
/// that of index `ids[n]`.
struct ImageSource {
  const std::uint8_t* pixels = nullptr;
  const std::int64_t* ids = nullptr;
  ImageSize size;
};

/// Where they go: [N,3,H,W] of `type`, in memory as N,C,H,W or, if `channels_last`, as N,H,W,C.
struct ImageSink {
  void* pixels = nullptr;
  PixelType type = PixelType::kFloat32;
  bool channels_last = false;
};

namespace detail {

/// Stores the first `count` pixels of a block that `evaluate` gives to a sink; `offset` is that of
/// its first pixel in the image.
template <class Value, class Evaluate, class Convert>
REGTORCH_INLINE void store(const Evaluate& evaluate, int count, Value* image, bool channels_last,
                           std::size_t plane, std::size_t offset, Convert convert) {
  // A whole block goes straight to its place, a part by way of an array.
  const bool whole = count == kLanes;
  const auto size = static_cast<std::size_t>(count) * sizeof(Value);
  Value part[3 * kLanes];
  if (channels_last) {
    Value* to = whole ? image + 3 * offset : part;
    evaluate([&](int i, float red, float green, float blue) REGTORCH_INLINE_LAMBDA {
      to[3 * i] = convert(red);
      to[3 * i + 1] = convert(green);
      to[3 * i + 2] = convert(blue);
    });
    if (!whole) {
      std::memcpy(image + 3 * offset, part, 3 * size);
    }
    return;
  }
  Value* to = whole ? image + offset : part;
  const std::size_t step = whole ? plane : kLanes;
  Value* const reds = to;
  Value* const greens = to + step;
  Value* const blues = to + 2 * step;
  evaluate([&](int i, float red, float green, float blue) REGTORCH_INLINE_LAMBDA {
    reds[i] = convert(red);
    greens[i] = convert(green);
    blues[i] = convert(blue);
  });
  if (!whole) {
    for (std::size_t c = 0; c < 3; ++c) {
      std::memcpy(image + c * plane + offset, part + c * kLanes, size);
    }
  }
}

/// The mean over an image, summed lane by lane in float64.
class Mean {
 public:
  REGTORCH_INLINE void add(const float (&quantity)[kLanes], int count) {
    for (int i = 0; i < kLanes; ++i) {
      sums_[i] += static_cast<double>(i < count ? quantity[i] : 0.0f);
    }
  }
  REGTORCH_INLINE float of(ImageSize size) const {
    double sum = 0;
    for (int i = 0; i < kLanes; ++i) {
      sum += sums_[i];
    }
    return static_cast<float>(sum / (static_cast<double>(size.height) * size.width));
  }

 private:
  double sums_[kLanes] = {};
};

}  // namespace detail

/// The size of what comes out of `transforms` when images of size `in` go in.
template <class... Transforms>
ImageSize output_size(const std::tuple<Transforms...>& transforms, ImageSize in) {
  return detail::ImageStages<Transforms...>(transforms, in).out_size();
}

/// Takes images [begin, end) of a batch through the transforms.
///
/// Transform k of image n draws from `stream` at index ids[n], purpose stream.purpose + 4096 * k.
/// Neither begin, end nor isa changes a decision; values differ between instruction sets by the
/// rounding of fused multiply-adds only. Throws std::out_of_range if a transform points outside its
/// image; the other arguments are not checked.
template <class... Transforms>
void transform_images(const std::tuple<Transforms...>& transforms, const ImageSource& source,
                      const ImageSink& sink, std::int64_t begin, std::int64_t end,
                      RandomStream stream, Isa isa) {
  constexpr std::size_t kCount = sizeof...(Transforms);
  constexpr std::size_t kCacheLine = 64;
  constexpr std::size_t kAhead = 1 << 13;
  detail::ImageStages<Transforms...> stages(transforms, source.size);
  const ImageSize out = stages.out_size();
  const auto in_width = static_cast<std::size_t>(source.size.width);
  const std::size_t in_plane = static_cast<std::size_t>(source.size.height) * in_width;
  const auto out_width = static_cast<std::size_t>(out.width);
  const std::size_t out_plane = static_cast<std::size_t>(out.height) * out_width;
  SelectColumns select(isa, source.size.width, stages.padded_width());
  const std::size_t padded = select.padded();
  std::vector<std::uint8_t> selected(3 * padded);
  const std::vector<std::uint8_t> zeros(padded);
  const detail::RowBytes inside{selected.data(), selected.data() + padded,
                                selected.data() + 2 * padded};
  const detail::RowBytes outside{zeros.data(), zeros.data(), zeros.data()};

  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::uint8_t* image = source.pixels + static_cast<std::size_t>(n) * 3 * in_plane;
      // Makes the image of stage Last and gives it away by take(bytes, y, x, count), for blocks of
      // which the first `count` pixels are in the image.
      const auto for_each_block = [&]<std::size_t Last>(const auto& take) REGTORCH_INLINE_LAMBDA {
        const ImageSize size = stages.template size<Last>();
        stages.template aim<Last>();
        select.aim(stages.source_columns(), size.width);
        for (int y = 0; y < size.height; ++y) {
          const int row = stages.source_row(y);
          if (row != kOutside) {
            select(image + static_cast<std::size_t>(row) * in_width, in_plane, selected.data());
          }
          const detail::RowBytes& bytes = row == kOutside ? outside : inside;
          for (int x = 0; x < size.width; x += kLanes) {
            take(bytes, y, x, std::min(kLanes, size.width - x));
          }
        }
      };

      if (n + 1 < end) {
        // Rows of three planes, from any place on, are more than the hardware sees coming. Of a
        // large image only the beginning: the rest would be gone again before it is wanted.
        for (std::size_t i = 0; i < std::min(3 * in_plane, kAhead); i += kCacheLine) {
          __builtin_prefetch(image + 3 * in_plane + i);
        }
      }
      stages.draw(stream, static_cast<std::uint64_t>(source.ids[n]));
      stages.take_means([&]<std::size_t K>(const auto& measure) REGTORCH_INLINE_LAMBDA {
        detail::Mean mean;
        for_each_block.template operator()<K>(
            [&](const detail::RowBytes& bytes, int y, int x, int count) REGTORCH_INLINE_LAMBDA {
              PixelBlock block;
              stages.template evaluate<K>(bytes, y, x, stages.into(block));
              float quantity[kLanes];
              measure(block, quantity);
              mean.add(quantity, count);
            });
        return mean.of(stages.template size<K>());
      });
      const std::size_t out_image = static_cast<std::size_t>(n) * 3 * out_plane;
      for_each_block.template operator()<kCount>(
          [&](const detail::RowBytes& bytes, int y, int x, int count) REGTORCH_INLINE_LAMBDA {
            const std::size_t offset =
                static_cast<std::size_t>(y) * out_width + static_cast<std::size_t>(x);
            const auto evaluate = [&](const auto& to) REGTORCH_INLINE_LAMBDA {
              stages.template evaluate<kCount>(bytes, y, x, to);
            };
            if (sink.type == PixelType::kFloat32) {
              detail::store(evaluate, count, static_cast<float*>(sink.pixels) + out_image,
                            sink.channels_last, out_plane, offset,
                            [](float v) REGTORCH_INLINE_LAMBDA { return v; });
            } else {
              detail::store(evaluate, count, static_cast<std::uint16_t*>(sink.pixels) + out_image,
                            sink.channels_last, out_plane, offset,
                            [](float v) REGTORCH_INLINE_LAMBDA { return to_bfloat16(v); });
            }
          });
    }
  });
}

}  // namespace regtorch::kernels
