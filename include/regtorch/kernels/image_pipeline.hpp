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
/// source row for each output row and one table of source columns for each image. An output row is
/// then made by picking its bytes out of the source row (`select_columns`) and taking blocks of
/// kLanes pixels through the transforms in registers, first to last. The recursion over the tuple
/// of transforms is unrolled by the compiler; only the last step stores. A transform that needs a
/// mean over its image costs a pass of its own, without a store, up to that transform.
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

REGTORCH_INLINE void load(const std::uint8_t* bytes, float (&out)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    out[i] = static_cast<float>(bytes[i]) * (1.0f / 255.0f);
  }
}

/// Stores the first `count` pixels of a block; `offset` is that of its first pixel in the image.
template <class Value, class Convert>
REGTORCH_INLINE void store(const PixelBlock& block, int count, Value* image, bool channels_last,
                           std::size_t plane, std::size_t offset, Convert convert) {
  const auto copy = [&](Value* out, const Value* values, std::size_t each) REGTORCH_INLINE_LAMBDA {
    // The constant size is the common case, and lets the compiler store whole registers.
    if (count == kLanes) {
      std::memcpy(out, values, kLanes * each * sizeof(Value));
    } else {
      std::memcpy(out, values, static_cast<std::size_t>(count) * each * sizeof(Value));
    }
  };
  if (channels_last) {
    Value values[3 * kLanes];
    for (int i = 0; i < kLanes; ++i) {
      values[3 * i] = convert(block.red[i]);
      values[3 * i + 1] = convert(block.green[i]);
      values[3 * i + 2] = convert(block.blue[i]);
    }
    copy(image + 3 * offset, values, 3);
    return;
  }
  const auto copy_plane = [&](const float* channel, std::size_t c) REGTORCH_INLINE_LAMBDA {
    Value values[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      values[i] = convert(channel[i]);
    }
    copy(image + c * plane + offset, values, 1);
  };
  copy_plane(block.red, 0);
  copy_plane(block.green, 1);
  copy_plane(block.blue, 2);
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
  detail::ImageStages<Transforms...> stages(transforms, source.size);
  const ImageSize out = stages.out_size();
  const auto in_width = static_cast<std::size_t>(source.size.width);
  const std::size_t in_plane = static_cast<std::size_t>(source.size.height) * in_width;
  const auto out_width = static_cast<std::size_t>(out.width);
  const std::size_t out_plane = static_cast<std::size_t>(out.height) * out_width;
  const auto padded = static_cast<std::size_t>(stages.padded_width());
  std::vector<std::uint16_t> columns(padded);
  std::vector<std::uint8_t> bytes(3 * padded);
  const SelectColumns select = select_columns(isa);

  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::uint8_t* image = source.pixels + static_cast<std::size_t>(n) * 3 * in_plane;
      // Makes the image of stage Last and gives it away: take(block, y, x, count), where the first
      // `count` pixels of the block are in the image.
      const auto for_each_block = [&]<std::size_t Last>(const auto& take) REGTORCH_INLINE_LAMBDA {
        const ImageSize size = stages.template size<Last>();
        stages.template aim<Last>();
        for (std::size_t x = 0; x < static_cast<std::size_t>(size.width); ++x) {
          const int from = stages.source_columns()[x];
          detail::check_source("source_column", from, source.size.width);
          columns[x] = static_cast<std::uint16_t>(std::max(from, 0));
        }
        for (int y = 0; y < size.height; ++y) {
          const auto rows = stages.template rows<Last>(y);
          detail::check_source("source_row", rows[0], source.size.height);
          const std::size_t row = static_cast<std::size_t>(std::max(rows[0], 0)) * in_width;
          for (std::size_t c = 0; c < 3; ++c) {
            select(image + c * in_plane + row, source.size.width, columns.data(), size.width,
                   bytes.data() + c * padded);
          }
          for (int x = 0; x < size.width; x += kLanes) {
            PixelBlock block;
            detail::load(bytes.data() + x, block.red);
            detail::load(bytes.data() + padded + x, block.green);
            detail::load(bytes.data() + 2 * padded + x, block.blue);
            stages.template evaluate<Last>(rows, x, block);
            take(block, y, x, std::min(kLanes, size.width - x));
          }
        }
      };

      stages.draw(stream, static_cast<std::uint64_t>(source.ids[n]));
      stages.take_means([&]<std::size_t K>(const auto& measure) REGTORCH_INLINE_LAMBDA {
        detail::Mean mean;
        for_each_block.template operator()<K>([&](const PixelBlock& block, int, int, int count)
                                                  REGTORCH_INLINE_LAMBDA {
                                                    float quantity[kLanes];
                                                    measure(block, quantity);
                                                    mean.add(quantity, count);
                                                  });
        return mean.of(stages.template size<K>());
      });
      const std::size_t out_image = static_cast<std::size_t>(n) * 3 * out_plane;
      for_each_block.template operator()<kCount>(
          [&](const PixelBlock& block, int y, int x, int count) REGTORCH_INLINE_LAMBDA {
            const std::size_t offset =
                static_cast<std::size_t>(y) * out_width + static_cast<std::size_t>(x);
            if (sink.type == PixelType::kFloat32) {
              detail::store(block, count, static_cast<float*>(sink.pixels) + out_image,
                            sink.channels_last, out_plane, offset,
                            [](float v) REGTORCH_INLINE_LAMBDA { return v; });
            } else {
              detail::store(block, count, static_cast<std::uint16_t*>(sink.pixels) + out_image,
                            sink.channels_last, out_plane, offset,
                            [](float v) REGTORCH_INLINE_LAMBDA { return to_bfloat16(v); });
            }
          });
    }
  });
}

}  // namespace regtorch::kernels
