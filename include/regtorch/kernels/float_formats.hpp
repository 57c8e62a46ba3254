#pragma once

#include <cstdint>

#include "regtorch/kernels/bfloat16.hpp"
#include "regtorch/kernels/float16.hpp"
#include "regtorch/kernels/simd.hpp"

/// How numbers lie in memory that kernels compute with in float32: Stored, read, and write, which
/// rounds to nearest.
namespace regtorch::kernels {

struct Float32Format {
  using Stored = float;
  static REGTORCH_INLINE float read(float value) { return value; }
  static REGTORCH_INLINE float write(float value) { return value; }
};

struct BFloat16Format {
  using Stored = std::uint16_t;
  static REGTORCH_INLINE float read(std::uint16_t bits) { return from_bfloat16(bits); }
  static REGTORCH_INLINE std::uint16_t write(float value) { return to_bfloat16(value); }
};

struct Float16Format {
  using Stored = std::uint16_t;
  static REGTORCH_INLINE float read(std::uint16_t bits) { return from_float16(bits); }
  static REGTORCH_INLINE std::uint16_t write(float value) { return to_float16(value); }
};

}  // namespace regtorch::kernels
