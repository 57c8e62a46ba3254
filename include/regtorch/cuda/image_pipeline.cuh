#pragma once

#include <algorithm>
#include <cstdint>

#include "regtorch/cuda/element.cuh"
#include "regtorch/cuda/launch.cuh"
#include "regtorch/kernels/color.hpp"
#include "regtorch/kernels/device_images.hpp"
#include "regtorch/kernels/normal.hpp"

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

/// Called, not inlined, three times a pixel.
__device__ __noinline__ inline float erasing_noise(std::uint64_t seed, unsigned channel, int y,
                                                   int x) {
  const auto place = static_cast<std::uint64_t>(y) << 32 | static_cast<std::uint64_t>(x);
  return static_cast<float>(
      kernels::standard_normal(kernels::RandomStream{seed, 0, channel}.block(place)));
}

/// Calls change(k) for the pixels that are in the operation's box.
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

template <class Element, int n>
__device__ __forceinline__ void store_pixels(const kernels::DeviceImages& images,
                                             std::int64_t image, int first,
                                             const Pixels<n>& pixels) {
  const std::int64_t plane = images.out.height * images.out.width;
  Element* const out = static_cast<Element*>(images.result) + image * 3 * plane;
#pragma unroll
  for (int run = 0; run < 3; ++run) {
    Pack<Element, n> planar;
    Pack<Element, n> interleaved;
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const int at = run * n + i;
      planar.at[i] = from_float<Element>(pixels.channel[run][i]);
      interleaved.at[i] = from_float<Element>(pixels.channel[at % 3][at / 3]);
    }
    if (images.channels_last) {
      store_pack(out + std::int64_t{3} * first + run * n, interleaved);
    } else {
      store_pack(out + run * plane + first, planar);
    }
  }
}

/// The image pipeline: kernels::transform_images, from decisions that the CPU made.
///
/// Bytes moved a pixel: 3 read, and 12 (float32) or 6 (bfloat16) written; and for each image its
/// records, of 2 bytes a row and a column and 56 an operation, a twentieth of that at 32x32.
///
/// A thread makes n pixels that lie side by side in memory, in all channels, since a grey needs
/// them all; n is as large as one store can be, and divides the pixels of an image, so that there
/// are no edges. threadIdx.x counts the pixels of an image, in whole warps, which thus agree on
/// what they do; threadIdx.y counts images, as many as make a small image's block a large one.
///
/// @tparam noise  whether there are kNoise operations, whose float64 arithmetic takes a third more
///                registers
template <class Element, int n, bool noise>
__global__ void __launch_bounds__(kBlock) image_pipeline_kernel(kernels::DeviceImages images) {
  const int count = images.out.height * images.out.width;
  const int plane = images.in.height * images.in.width;
  const int step = static_cast<int>(gridDim.y * blockDim.x) * n;
  const std::int64_t image_step = std::int64_t{gridDim.x} * blockDim.y;
  for (std::int64_t image = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
       image < images.count; image += image_step) {
    const kernels::PixelOperation* const operations =
        images.operations + image * images.operation_count;
    const LineTable source_lines(images, image, images.source_table);
    for (int first = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * n; first < count;
         first += step) {
      Pixels<n> pixels;
      pixels.width = images.out.width;
      pixels.y = first / pixels.width;
      pixels.x = first - pixels.y * pixels.width;
      pixels.for_each([&](int k, int y, int x) {
        const int row = source_lines.row(y);
        const int column = source_lines.column(x);
        const bool inside = (row | column) >= 0;
        const std::uint8_t* from =
            images.source + image * 3 * plane + (inside ? row * images.in.width + column : 0);
#pragma unroll
        for (int c = 0; c < 3; ++c) {
          const float byte = inside ? static_cast<float>(*from) : 0.0f;
          pixels.channel[c][k] = byte * (1.0f / 255.0f);
          from += plane;
        }
      });
      for (int i = 0; i < images.operation_count; ++i) {
        apply<noise>(operations[i], LineTable(images, image, operations[i].table), pixels);
      }
      store_pixels<Element>(images, image, first, pixels);
    }
  }
}

template <class Element>
void transform_images(const kernels::DeviceImages& images, cudaStream_t queue) {
  const int pixels = images.out.height * images.out.width;
  if (images.count == 0 || pixels == 0) {
    return;
  }
  const auto run = [&]<int n>() {
    const int runs = pixels / n;
    int threads = kWarp;
    while (threads < kBlock && threads < runs) {
      threads *= 2;
    }
    const int at_a_time = kBlock / threads;
    constexpr std::int64_t kMostInY = 65535;
    const dim3 grid(grid_of(divide_up(images.count, at_a_time)).x,
                    grid_of(divide_up(runs, threads), kMostInY).x);
    launch("Pipeline",
           images.has_noise ? image_pipeline_kernel<Element, n, true>
                            : image_pipeline_kernel<Element, n, false>,
           grid, dim3(static_cast<unsigned>(threads), static_cast<unsigned>(at_a_time)), queue,
           images);
  };
  const auto address = reinterpret_cast<std::uintptr_t>(images.result);
  const auto fits = [&](int n) {
    return pixels % n == 0 && address % (static_cast<std::size_t>(n) * sizeof(Element)) == 0;
  };
  if (fits(kPackSize<Element>)) {
    run.template operator()<kPackSize<Element>>();
  } else if (kPackSize<Element> > 4 && fits(4)) {
    run.template operator()<4>();
  } else {
    run.template operator()<1>();
  }
}

}  // namespace regtorch::cuda
