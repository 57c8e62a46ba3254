#pragma once

#include <algorithm>
#include <cstdint>

#include <ATen/Parallel.h>

namespace regtorch {

/// Calls body(begin, end) for the pieces [0, block), [block, 2 * block), ... of [0, size), on all
/// of LibTorch's intra-op threads.
///
/// The pieces are the same for any number of threads, so a body that sums within its piece gives
/// the same bits however many run. One piece alone runs on the calling thread. An exception thrown
/// by `body` reaches the caller.
///
/// It is at::parallel_for, which forks only in a file that is compiled with OpenMP:
/// regtorch::regtorch asks for that.
///
/// @param size   how many elements there are, at least 0
/// @param block  elements in a piece, at least 1; the last may have fewer
/// @param body   callable (std::int64_t begin, std::int64_t end), from several threads at once
template <class Body>
void parallel_for(std::int64_t size, std::int64_t block, const Body& body) {
  const std::int64_t blocks = (size + block - 1) / block;
  at::parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b) {
      body(b * block, std::min(size, (b + 1) * block));
    }
  });
}

}  // namespace regtorch
