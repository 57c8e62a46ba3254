#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "regtorch/kernels/color.hpp"
#include "regtorch/kernels/device_images.hpp"
#include "regtorch/kernels/normal.hpp"

/// What the image pipeline does to some pixels of an image.
namespace regtorch::cuda {

/// Neighbouring pixels in an image's memory.
template <int n>
struct Pixels {
  float channel[3][n];
  int y;  ///< row of the first one
  int x;  ///< its column
  int width;

  /// Calls visit(k, y, x) for each pixel k.
  template <class Visit>
  __device__ __forceinline__ void for_each(const Visit& visit) const {
    int row = y;
    int column = x;
#pragma unroll
    for (int k = 0; k < n; ++k) {
      visit(k, row, column);
      ++column;
      if (column == width) {
        column = 0;
        ++row;
      }
    }
  }
};

/// Which rows and columns of an earlier image those of the output are, for one image of the batch.
class LineTable {
 public:
  __device__ LineTable(const kernels::DeviceImages& images, std::int64_t image, int table)
      : rows_(table < 0 ? nullptr
                        : images.lines + (image * images.table_count + table) *
                                             (images.out.height + images.out.width)),
        columns_(rows_ + (table < 0 ? 0 : images.out.height)) {}
  __device__ int row(int y) const { return rows_ == nullptr ? y : rows_[y]; }
  __device__ int column(int x) const { return rows_ == nullptr ? x : columns_[x]; }

 private:
  const std::int16_t* rows_;
  const std::int16_t* columns_;
};

/// kernels::normal_number for a channel of a pixel. Called, not inlined: three times for each of n
/// pixels it would be much code.
__device__ __noinline__ inline float erasing_noise(std::uint64_t seed, unsigned channel, int y,
                                                   int x) {
  const auto place = static_cast<std::uint64_t>(y) << 32 | static_cast<std::uint64_t>(x);
  return static_cast<float>(
      kernels::standard_normal(kernels::RandomStream{seed, 0, channel}.block(place)));
}

/// Calls change(k, y, x) for the pixels k that are in a box; y and x are where the box is meant.
template <int n, class Change>
__device__ __forceinline__ void for_each_in_box(const kernels::PixelBox& box,
                                                const LineTable& lines, const Pixels<n>& pixels,
                                                const Change& change) {
  pixels.for_each([&](int k, int out_y, int out_x) {
    const int y = lines.row(out_y) - box.top;
    const int x = lines.column(out_x) - box.left;
    if (y >= 0 && y < box.height && x >= 0 && x < box.width) {
      change(k, y + box.top, x + box.left);
    }
  });
}

/// @tparam noise  whether kNoise may come
template <bool noise, int n>
__device__ __forceinline__ void apply(const kernels::PixelOperation& operation,
                                      const LineTable& lines, Pixels<n>& pixels) {
  using Kind = kernels::PixelOperation::Kind;
  auto& [red, green, blue] = pixels.channel;
  switch (operation.kind) {
    case Kind::kNone:
      return;
    case Kind::kScaleShift:
#pragma unroll
      for (int c = 0; c < 3; ++c) {
#pragma unroll
        for (int k = 0; k < n; ++k) {
          pixels.channel[c][k] = pixels.channel[c][k] * operation.value[c] + operation.shift[c];
        }
      }
      return;
    case Kind::kGrayscale:
#pragma unroll
      for (int k = 0; k < n; ++k) {
        const float gray = kernels::grayscale(red[k], green[k], blue[k]);
        red[k] = gray;
        green[k] = gray;
        blue[k] = gray;
      }
      return;
    case Kind::kFill:
      for_each_in_box(operation.box, lines, pixels, [&](int k, int, int) {
        red[k] = operation.value[0];
        green[k] = operation.value[1];
        blue[k] = operation.value[2];
      });
      return;
    case Kind::kNoise:
      if constexpr (noise) {
        for_each_in_box(operation.box, lines, pixels, [&](int k, int y, int x) {
          red[k] = erasing_noise(operation.seed, 0, y, x);
          green[k] = erasing_noise(operation.seed, 1, y, x);
          blue[k] = erasing_noise(operation.seed, 2, y, x);
        });
      }
      return;
    case Kind::kZeroOutside:
      pixels.for_each([&](int k, int y, int x) {
        const bool inside = (lines.row(y) | lines.column(x)) >= 0;
        red[k] = inside ? red[k] : 0.0f;
        green[k] = inside ? green[k] : 0.0f;
        blue[k] = inside ? blue[k] : 0.0f;
      });
      return;
  }
}

}  // namespace regtorch::cuda
