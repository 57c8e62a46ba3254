#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "regtorch/cuda/element.cuh"
#include "regtorch/cuda/launch.cuh"
#include "regtorch/kernels/mixture.hpp"

/// MixUp and CutMix: each sample of a batch mixed with the one before it, the first with the last.
///
/// Bytes moved an element: one read and one write. The sample before is asked for again, at about
/// the time when others read it as their own: the second-level cache has it.
namespace regtorch::cuda {

/// A batch of `count` elements in all, `sample` of them a sample.
template <class Element>
struct Neighbours {
  const Element* in;
  Element* out;
  std::int64_t count;
  std::int64_t sample;

  /// The place in the sample before of what is at place i in its own.
  __device__ std::int64_t before(std::int64_t i) const {
    return i < sample ? i + (count - sample) : i - sample;
  }
};

/// For the elements that are this thread's, whole packs where `packs`, calls make(i, n), n an
/// std::integral_constant, which returns the elements [i, i + n).
template <bool packs, class Element, class Make>
__device__ __forceinline__ void for_each_pack(const Neighbours<Element>& batch, const Make& make) {
  constexpr std::integral_constant<int, 1> kOne{};
  constexpr std::integral_constant<int, packs ? kPackSize<Element> : 1> kMany{};
  const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t threads = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t whole = batch.count / kMany;
#pragma unroll 1  // threads enough are at work at a time, and rounds side by side need registers
  for (std::int64_t i = thread; i < whole; i += threads) {
    store_pack(batch.out + i * kMany, make(i * kMany, kMany));
  }
  for (std::int64_t i = whole * kMany + thread; i < batch.count; i += threads) {
    store_pack(batch.out + i, make(i, kOne));
  }
}

/// MixUp, in float32 and rounded once, as kernels::blend_arrays.
template <class Element, bool packs>
__global__ void __launch_bounds__(kBlock)
    blend_neighbours_kernel(Neighbours<Element> batch, kernels::Blend blend) {
  for_each_pack<packs>(batch, [&](std::int64_t i, auto n) {
    const Pack<Element, n> own = load_pack<n>(batch.in + i);
    Pack<Element, n> before;
    if (batch.sample % n == 0) {
      before = load_pack<n>(batch.in + batch.before(i));
    } else {
#pragma unroll
      for (int k = 0; k < n; ++k) {
        before.at[k] = batch.in[batch.before(i + k)];
      }
    }
    Pack<Element, n> mixed;
#pragma unroll
    for (int k = 0; k < n; ++k) {
      mixed.at[k] = from_float<Element>(blend(to_float(own.at[k]), to_float(before.at[k])));
    }
    return mixed;
  });
}

/// CutMix, as kernels::paste_box; only what is written is read, but at the box's edges.
///
/// @param box  in elements, of which `sample` is a whole number of planes
template <class Element, bool packs>
__global__ void __launch_bounds__(kBlock)
    paste_neighbours_kernel(Neighbours<Element> batch, kernels::PlaneBox box) {
  for_each_pack<packs>(batch, [&](std::int64_t i, auto n) {
    const std::size_t place = static_cast<std::size_t>(i) % box.plane;
    std::size_t y = place / box.row;
    std::size_t x = place - y * box.row;
    bool inside[n];
    int count = 0;
#pragma unroll
    for (int k = 0; k < n; ++k) {
      inside[k] = y >= box.top && y < box.bottom && x >= box.left && x < box.right;
      count += inside[k];
      ++x;
      if (x == box.row) {
        x = 0;
        ++y;
        y = y * box.row == box.plane ? 0 : y;
      }
    }
    if (count == 0) {
      return load_pack<n>(batch.in + i);
    }
    if (count == n && batch.sample % n == 0) {
      return load_pack<n>(batch.in + batch.before(i));
    }
    Pack<Element, n> mixed;
#pragma unroll
    for (int k = 0; k < n; ++k) {
      mixed.at[k] = batch.in[inside[k] ? batch.before(i + k) : i + k];
    }
    return mixed;
  });
}

/// Calls launch(packs, grid): whether whole packs can be read and written, as a
/// std::bool_constant, and the grid.
template <class Element, class Launch>
void with_packs(const Neighbours<Element>& batch, const Launch& launch) {
  if (batch.count == 0) {
    return;
  }
  const auto is_aligned = [](const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
  };
  if (is_aligned(batch.in) && is_aligned(batch.out)) {
    launch(std::true_type{}, grid_of(divide_up(batch.count, kPackSize<Element> * kBlock)));
  } else {
    launch(std::false_type{}, grid_of(divide_up(batch.count, kBlock)));
  }
}

template <class Element>
void blend_neighbours(const Element* in, Element* out, std::int64_t count, std::int64_t sample,
                      kernels::Blend blend, cudaStream_t queue) {
  const Neighbours<Element> batch{in, out, count, sample};
  with_packs(batch, [&](auto packs, dim3 grid) {
    launch("MixUp", blend_neighbours_kernel<Element, packs>, grid, kBlock, queue, batch, blend);
  });
}

/// @tparam Element  an unsigned integer as wide as an element
/// @param box       in bytes
template <class Element>
void paste_neighbours(const Element* in, Element* out, std::int64_t count, std::int64_t sample,
                      kernels::PlaneBox box, cudaStream_t queue) {
  for (std::size_t* bytes : {&box.plane, &box.row, &box.left, &box.right}) {
    *bytes /= sizeof(Element);
  }
  const Neighbours<Element> batch{in, out, count, sample};
  with_packs(batch, [&](auto packs, dim3 grid) {
    launch("CutMix", paste_neighbours_kernel<Element, packs>, grid, kBlock, queue, batch, box);
  });
}

}  // namespace regtorch::cuda
