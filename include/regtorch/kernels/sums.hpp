#pragma once

namespace regtorch::kernels {

/// The sums of absolute values and of squares, in float64: of float32 numbers they neither
/// overflow nor round differently on another instruction set.
struct Sums {
  double absolute = 0;
  double squares = 0;

  constexpr Sums& operator+=(const Sums& other) {
    absolute += other.absolute;
    squares += other.squares;
    return *this;
  }
};

}  // namespace regtorch::kernels
