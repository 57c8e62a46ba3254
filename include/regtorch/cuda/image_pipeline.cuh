#pragma once

#include <cstddef>
#include <cstdint>

#include "regtorch/cuda/element.cuh"
#include "regtorch/cuda/image_operations.cuh"
#include "regtorch/cuda/launch.cuh"
#include "regtorch/kernels/device_images.hpp"

namespace regtorch::cuda {

template <class Element, int n>
__device__ __forceinline__ void store_pixels(const kernels::DeviceImages& images,
                                             std::int64_t image, int first,
                                             const Pixels<n>& pixels) {
  const std::int64_t plane = images.out.height * images.out.width;
  Element* const out = static_cast<Element*>(images.result) + image * 3 * plane;
  Pack<Element, n> pack;
  if (images.channels_last) {
#pragma unroll
    for (int run = 0; run < 3; ++run) {
#pragma unroll
      for (int i = 0; i < n; ++i) {
        const int at = run * n + i;
        pack.at[i] = from_float<Element>(pixels.channel[at % 3][at / 3]);
      }
      store_pack(out + std::int64_t{3} * first + run * n, pack);
    }
    return;
  }
#pragma unroll
  for (int c = 0; c < 3; ++c) {
#pragma unroll
    for (int k = 0; k < n; ++k) {
      pack.at[k] = from_float<Element>(pixels.channel[c][k]);
    }
    store_pack(out + c * plane + first, pack);
  }
}

/// The image pipeline: kernels::transform_images, from decisions that the CPU made.
///
/// Bytes moved a pixel: 3 read, and 12 (float32) or 6 (bfloat16) written; and for each image its
/// records, of 2 bytes a row and a column and 56 an operation, some hundredth of that at 32x32.
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
