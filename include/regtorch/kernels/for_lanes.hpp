#pragma once

#include <cstdint>
#include <type_traits>

#include "regtorch/kernels/lanes.hpp"
#include "regtorch/kernels/simd.hpp"

namespace regtorch::kernels {

/// Calls body(first, count) for kLanes of `size` numbers at a time, and for those left: loops over
/// `count` are vectorised even at -O2 where it is constant.
template <class Body>
REGTORCH_INLINE void for_lanes(std::int64_t size, const Body& body) {
  std::int64_t first = 0;
  for (; first + kLanes <= size; first += kLanes) {
    body(first, std::integral_constant<int, kLanes>());
  }
  if (first < size) {
    body(first, static_cast<int>(size - first));
  }
}

}  // namespace regtorch::kernels
