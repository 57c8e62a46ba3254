#pragma once

#include <cfloat>
#include <cstdint>
#include <cstdio>
#include <type_traits>

#include "regtorch/cuda/element.cuh"
#include "regtorch/cuda/launch.cuh"
#include "regtorch/kernels/smoothed_rows.hpp"

/// What the two passes of the smoothed cross entropy have in common: rows of logits, each shared by
/// some neighbouring threads.
namespace regtorch::cuda {

/// What the backward pass needs of a row beside its logits: p_c = exp((x_c - most) - log_sum). One
/// number, most + log_sum, would lose the last digits of the logarithm where the logits are large.
struct RowStatistics {
  float most;     ///< the greatest logit
  float log_sum;  ///< log sum_c exp(x_c - most)
};

/// The label of a row, which must be a class unless it is ignored.
__device__ __forceinline__ std::int64_t checked_target(const kernels::SmoothedRows& all,
                                                       std::int64_t row) {
  const std::int64_t target = all.targets[row];
  if (target != all.ignore_index && (target < 0 || target >= all.classes)) {
    printf("regtorch LabelSmoothingLoss: wanted targets in [0, %lld) or %lld, got %lld at %lld\n",
           static_cast<long long>(all.classes), static_cast<long long>(all.ignore_index),
           static_cast<long long>(target), static_cast<long long>(row));
    __trap();
  }
  return target;
}

/// Calls visit(c, n) for runs of classes [c, c + n) of a row, which together are this thread's part
/// of it: n is kPackSize where the row lies at a multiple of 16 bytes, as an
/// std::integral_constant, and 1 at the edges.
///
/// @param rank   this thread's number among the `ranks` that share the row
/// @param packs  false: single classes only, for rows too short for more
template <bool packs, class Element, class Visit>
__device__ __forceinline__ void for_each_run(const Element* row, std::int64_t classes, int rank,
                                             int ranks, const Visit& visit) {
  constexpr std::integral_constant<int, 1> kOne{};
  if constexpr (!packs) {
    // A few turns at most: to unroll them costs registers and then spills.
#pragma unroll 1
    for (std::int64_t c = rank; c < classes; c += ranks) {
      visit(c, kOne);
    }
    return;
  }
  constexpr std::integral_constant<int, kPackSize<Element>> kMany{};
  const auto off =
      static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(row) % 16 / sizeof(Element));
  const std::int64_t before = off == 0 ? 0 : kMany - off;
  const std::int64_t head = before < classes ? before : classes;
  for (std::int64_t c = rank; c < head; c += ranks) {
    visit(c, kOne);
  }
  const std::int64_t tail = head + (classes - head) / kMany * kMany;
  for (std::int64_t c = head + std::int64_t{rank} * kMany; c < tail;
       c += std::int64_t{ranks} * kMany) {
    visit(c, kMany);
  }
  for (std::int64_t c = tail + rank; c < classes; c += ranks) {
    visit(c, kOne);
  }
}

/// Classes [c, c + n) as float32.
template <int n, class Element>
__device__ __forceinline__ void read_run(const Element* row, std::int64_t c, float (&x)[n]) {
  if constexpr (n == 1) {
    x[0] = to_float(row[c]);
  } else {
    const Pack<Element> pack = load_pack(row + c);
    for (int k = 0; k < n; ++k) {
      x[k] = to_float(pack.at[k]);
    }
  }
}

/// Writes float32 to classes [c, c + n), wherever they lie: the logits that a gradient belongs to
/// may begin elsewhere than it within 16 bytes.
template <int n, class Element>
__device__ __forceinline__ void write_run(const float (&x)[n], Element* row, std::int64_t c) {
  if constexpr (n > 1) {
    if (reinterpret_cast<std::uintptr_t>(row + c) % sizeof(Pack<Element>) == 0) {
      Pack<Element> pack;
      for (int k = 0; k < n; ++k) {
        pack.at[k] = from_float<Element>(x[k]);
      }
      store_pack(row + c, pack);
      return;
    }
  }
  for (int k = 0; k < n; ++k) {
    row[c + k] = from_float<Element>(x[k]);
  }
}

/// Threads of a block of the row kernels.
inline constexpr int kRowBlock = 256;
/// Rows of more classes have a block each.
inline constexpr std::int64_t kMostWarpClasses = 2048;

/// Calls visit(n), n the number of threads that share a row of so many classes, as an
/// std::integral_constant: so many that short rows leave few of a warp's lanes idle, and that long
/// ones, of which there may be few, keep the device busy.
template <class Visit>
void with_threads_of_row(std::int64_t classes, const Visit& visit) {
  if (classes > kMostWarpClasses) {
    visit(std::integral_constant<int, kRowBlock>{});
  } else if (classes > 64) {
    visit(std::integral_constant<int, kWarp>{});
  } else if (classes > 16) {
    visit(std::integral_constant<int, 16>{});
  } else {
    visit(std::integral_constant<int, 4>{});
  }
}

/// Blocks for so many rows.
inline dim3 grid_of_rows(std::int64_t rows, int threads_of_row) {
  return grid_of(divide_up(rows, kRowBlock / threads_of_row));
}

}  // namespace regtorch::cuda
