#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "regtorch/kernels/simd.hpp"

namespace regtorch::kernels {

/// Four rows of four floats become four columns: to[j * to_stride + i] = from[i * from_stride + j].
REGTORCH_INLINE void transpose_4x4(const float* from, std::int64_t from_stride, float* to,
                                   std::int64_t to_stride) {
  using Four = float __attribute__((vector_size(16)));
  Four a;
  Four b;
  Four c;
  Four d;
  std::memcpy(&a, from, sizeof(a));
  std::memcpy(&b, from + from_stride, sizeof(b));
  std::memcpy(&c, from + 2 * from_stride, sizeof(c));
  std::memcpy(&d, from + 3 * from_stride, sizeof(d));
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  std::memcpy(to, &a, sizeof(a));
  std::memcpy(to + to_stride, &b, sizeof(b));
  std::memcpy(to + 2 * to_stride, &c, sizeof(c));
  std::memcpy(to + 3 * to_stride, &d, sizeof(d));
}

/// to[j * to_stride + i] = from[i * from_stride + j] for i < rows and j < columns. Where 4 does not
/// divide a side, its last block overlaps the one before.
REGTORCH_INLINE void transpose(const float* from, int from_stride, float* to, int to_stride,
                               int rows, int columns) {
  if (rows < 4 || columns < 4) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        to[j * to_stride + i] = from[i * from_stride + j];
      }
    }
    return;
  }
  const auto block = [=](int i, int j) REGTORCH_INLINE_LAMBDA {
    const int row = std::min(i, rows - 4);
    const int column = std::min(j, columns - 4);
    transpose_4x4(from + row * from_stride + column, from_stride, to + column * to_stride + row,
                  to_stride);
  };
  // The longer side inside: it makes for the cheaper loop.
  if (rows > columns) {
    for (int j = 0; j < columns; j += 4) {
      for (int i = 0; i < rows; i += 4) {
        block(i, j);
      }
    }
  } else {
    for (int i = 0; i < rows; i += 4) {
      for (int j = 0; j < columns; j += 4) {
        block(i, j);
      }
    }
  }
}

}  // namespace regtorch::kernels
