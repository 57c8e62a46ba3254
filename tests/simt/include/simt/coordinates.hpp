#pragma once

#include "simt/vector_types.hpp"

namespace regtorch::simt {

/// Where the thread that runs now is; the emulator sets it whenever another one goes on.
struct Coordinates {
  uint3 thread;
  uint3 block;
  dim3 block_size;
  dim3 grid_size;
};
inline constinit Coordinates coordinates{};

}  // namespace regtorch::simt

inline const uint3& threadIdx = regtorch::simt::coordinates.thread;
inline const uint3& blockIdx = regtorch::simt::coordinates.block;
inline const dim3& blockDim = regtorch::simt::coordinates.block_size;
inline const dim3& gridDim = regtorch::simt::coordinates.grid_size;
inline constexpr int warpSize = 32;
