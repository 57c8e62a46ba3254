#pragma once

#include <algorithm>
#include <cstdint>

#include "regtorch/kernels/for_lanes.hpp"
#include "regtorch/kernels/lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// Sums over rows of channels, as the passes of batch_norm.hpp take them.
namespace regtorch::kernels {

/// What a number of a format (see float_formats.hpp) is in memory.
template <class Format>
using Stored = typename Format::Stored;

namespace detail {

/// Rows whose sums are added up in float32 before they go on in float64.
inline constexpr std::int64_t kRowsOfFloats = 64;

/// Some numbers in registers. As arrays of the function's own, which nothing else can write to.
struct Lanes {
  float v[kLanes];

  template <class Format>
  REGTORCH_INLINE void write(Stored<Format>* to, auto count) const {
    for (int i = 0; i < count; ++i) {
      to[i] = Format::write(v[i]);
    }
  }
};

/// Two sums over the rows for each channel: term(row, c, count, a, b) gives the terms of some
/// channels. They are written to first and second, [channels].
template <class Term>
REGTORCH_INLINE void sum_rows(std::int64_t rows, std::int64_t channels, double* first,
                              double* second, const Term& term) {
  std::fill(first, first + channels, 0.0);
  std::fill(second, second + channels, 0.0);
  for (std::int64_t begin = 0; begin < rows; begin += kRowsOfFloats) {
    const std::int64_t end = std::min(rows, begin + kRowsOfFloats);
    for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
      float sum_a[kLanes] = {};
      float sum_b[kLanes] = {};
      for (std::int64_t row = begin; row < end; ++row) {
        Lanes a = {};
        Lanes b = {};
        term(row, c, count, a, b);
        for (int i = 0; i < kLanes; ++i) {
          sum_a[i] += a.v[i];
          sum_b[i] += b.v[i];
        }
      }
      for (int i = 0; i < count; ++i) {
        first[c + i] += static_cast<double>(sum_a[i]);
        second[c + i] += static_cast<double>(sum_b[i]);
      }
    });
  }
}

}  // namespace detail

}  // namespace regtorch::kernels
