#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "regtorch/cuda/element.cuh"
#include "regtorch/cuda/launch.cuh"
#include "regtorch/kernels/device_arrays.hpp"

/// One launch for many arrays: they are cut into chunks, and a block of kBlock threads takes one.
namespace regtorch::cuda {

/// Arrays of one launch, passed by value: 4 KiB is what a launch has for its arguments on every
/// device, and some of it is left for a kernel's others.
template <class Arrays>
struct ArrayList {
  static constexpr std::size_t kOthers = 128;
  static constexpr int kMost =
      static_cast<int>((4096 - kOthers) / (sizeof(Arrays) + sizeof(int)) - 1);

  Arrays arrays[kMost] = {};
  int first[kMost] = {};  ///< the chunk that each begins with; a grid has no more than 2^31 - 1
  int count = 0;
};

/// A chunk of some arrays of a list, and which of theirs it is.
struct Place {
  int arrays;
  std::int64_t chunk;
};

/// What this block works on.
template <class Arrays>
__device__ __forceinline__ Place place_of_block(const ArrayList<Arrays>& list) {
  const int chunk = static_cast<int>(blockIdx.x);
  int low = 0;
  int high = list.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (list.first[middle] <= chunk) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return {low, chunk - list.first[low]};
}

/// Elements [begin, end) of some arrays.
template <class Arrays>
struct Chunk {
  Arrays arrays;
  std::int64_t begin;
  std::int64_t end;
};

/// The elements that this block works on.
template <class Arrays>
__device__ __forceinline__ Chunk<Arrays> chunk_of_block(const ArrayList<Arrays>& list) {
  const Place place = place_of_block(list);
  const std::int64_t begin = place.chunk * kernels::kDeviceChunk;
  const std::int64_t end = begin + kernels::kDeviceChunk;
  const std::int64_t size = list.arrays[place.arrays].size;
  return {list.arrays[place.arrays], begin, end < size ? end : size};
}

/// Calls visit(i, n) for elements [i, i + n) of [begin, end), which together are this thread's part
/// of them: n, a std::integral_constant, is 4 but at the end, where it is 1.
///
/// @param rank   this thread's number among the `ranks` that share the elements
/// @param packs  false: n is 1, neighbouring threads taking neighbours
template <class Visit>
__device__ __forceinline__ void visit_elements(std::int64_t begin, std::int64_t end, int rank,
                                               int ranks, bool packs, const Visit& visit) {
  constexpr std::integral_constant<int, 1> kOne{};
  constexpr std::integral_constant<int, kPackSize<float>> kMany{};
  std::int64_t rest = begin;
  if (packs) {
    rest += (end - begin) / kMany * kMany;
    for (std::int64_t i = begin + rank * kMany; i < rest; i += ranks * kMany) {
      visit(i, kMany);
    }
  }
  for (std::int64_t i = rest + rank; i < end; i += ranks) {
    visit(i, kOne);
  }
}
template <class Arrays, class Visit>
__device__ __forceinline__ void visit_chunk(const Chunk<Arrays>& chunk, bool packs,
                                            const Visit& visit) {
  visit_elements(chunk.begin, chunk.end, static_cast<int>(threadIdx.x), kBlock, packs, visit);
}

/// Whether all of these lie at a multiple of 16 bytes; a null pointer does.
template <class... Pointers>
__device__ __forceinline__ bool are_aligned(Pointers... pointers) {
  return ((... | reinterpret_cast<std::uintptr_t>(pointers)) & 15) == 0;
}

/// Elements [i, i + n), of which four must lie at a multiple of 16 bytes, or be said not to.
template <int n>
__device__ __forceinline__ void load_run(const float* from, std::int64_t i, float (&x)[n],
                                         bool aligned = true) {
  if (n > 1 && aligned) {
    const Pack<float> pack = load_pack(from + i);
    for (int k = 0; k < n; ++k) {
      x[k] = pack.at[k];
    }
  } else {
    for (int k = 0; k < n; ++k) {
      x[k] = from[i + k];
    }
  }
}
template <int n>
__device__ __forceinline__ void store_run(float* to, std::int64_t i, const float (&x)[n]) {
  if constexpr (n == 1) {
    to[i] = x[0];
  } else {
    static_assert(n == kPackSize<float>);
    Pack<float> pack;
    for (int k = 0; k < n; ++k) {
      pack.at[k] = x[k];
    }
    store_pack(to + i, pack);
  }
}

/// Calls start(list, chunks) for as many lists as hold all arrays that have a chunk.
template <class Arrays, class Start>
void for_each_list(const Arrays* arrays, std::int64_t count, const Start& start) {
  static_assert(sizeof(ArrayList<Arrays>) + ArrayList<Arrays>::kOthers <= 4096);
  ArrayList<Arrays> list;
  std::int64_t chunks = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t of_these = arrays[i].chunks();
    if (of_these == 0) {
      continue;
    }
    if (list.count == ArrayList<Arrays>::kMost) {
      start(list, chunks);
      list.count = 0;
      chunks = 0;
    }
    list.arrays[list.count] = arrays[i];
    list.first[list.count++] = static_cast<int>(chunks);
    chunks += of_these;
  }
  if (list.count > 0) {
    start(list, chunks);
  }
}

/// A block for each chunk.
inline dim3 grid_of_chunks(std::int64_t chunks) { return grid_of(chunks, 0x7FFFFFFF); }

}  // namespace regtorch::cuda
