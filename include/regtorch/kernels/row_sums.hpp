#pragma once

#include <algorithm>
#include <cstdint>

#include "regtorch/kernels/for_lanes.hpp"
#include "regtorch/kernels/lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// Loops over rows of channels, as the passes of batch_norm.hpp take them.
namespace regtorch::kernels::detail {

/// Calls body(element, channel) for each element; none writes what another one reads.
template <class Body>
REGTORCH_INLINE void for_elements(std::int64_t rows, std::int64_t channels, const Body& body) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
      const std::int64_t at = row * channels + c;
      const int size = count;  // in the loop's condition g++ would lose what is said of the loop
      REGTORCH_INDEPENDENT
      for (int i = 0; i < size; ++i) {
        body(at + i, c + i);
      }
    });
  }
}

/// Rows whose sums are added up in float32 before they go on in float64.
inline constexpr std::int64_t kRowsOfFloats = 64;

/// The two terms of an element.
struct Terms {
  float first;
  float second;
};

/// Their sums over the rows for each channel, written to first and second, [channels]:
/// terms(element, channel) gives those of one, and may write what no other one reads.
template <class OfElement>
REGTORCH_INLINE void sum_rows(std::int64_t rows, std::int64_t channels, double* first,
                              double* second, const OfElement& terms) {
  std::fill(first, first + channels, 0.0);
  std::fill(second, second + channels, 0.0);
  for (std::int64_t begin = 0; begin < rows; begin += kRowsOfFloats) {
    const std::int64_t end = std::min(rows, begin + kRowsOfFloats);
    for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
      const int size = count;
      float sum_first[kLanes] = {};
      float sum_second[kLanes] = {};
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t at = row * channels + c;
        REGTORCH_INDEPENDENT
        for (int i = 0; i < size; ++i) {
          const Terms of = terms(at + i, c + i);
          sum_first[i] += of.first;
          sum_second[i] += of.second;
        }
      }
      for (int i = 0; i < size; ++i) {
        first[c + i] += static_cast<double>(sum_first[i]);
        second[c + i] += static_cast<double>(sum_second[i]);
      }
    });
  }
}

}  // namespace regtorch::kernels::detail
