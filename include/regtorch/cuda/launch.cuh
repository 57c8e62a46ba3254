#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <cuda_runtime.h>

namespace regtorch::cuda {

inline constexpr int kWarp = 32;

/// Threads of a block unless a kernel says otherwise: 8 warps, of which every GPU since Turing
/// holds several blocks at a time.
inline constexpr int kBlock = 256;

/// Blocks for `count` pieces of work, a block each, or fewer where kernels go round a loop.
///
/// @param count  at least 1
/// @param most   default: 2^20, far more than any device runs at a time
inline dim3 grid_of(std::int64_t count, std::int64_t most = std::int64_t{1} << 20) {
  return dim3(static_cast<unsigned>(std::min(count, most)));
}

constexpr std::int64_t divide_up(std::int64_t count, std::int64_t by) {
  return (count + by - 1) / by;
}

/// Starts a kernel on a stream and waits for nothing.
///
/// @throws std::runtime_error with the kernel's name if the launch is refused
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
            cudaStream_t stream, Arguments... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  const cudaError_t error =
      cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
  if (error != cudaSuccess) {
    (void)cudaGetLastError();  // or the next one to ask, LibTorch, would take it for its own
    throw std::runtime_error(std::string("regtorch: the launch of ") + name +
                             " failed: " + cudaGetErrorString(error));
  }
}

}  // namespace regtorch::cuda
