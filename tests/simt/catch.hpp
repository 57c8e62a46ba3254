#pragma once

// The way into Catch2, version 2 or 3, for tests that must not know torch.

#include <stdexcept>
#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <cuda_runtime.h>

namespace regtorch::testing {

/// Launches; throws if the launch is refused, and what the kernel does wrong.
template <class... Parameters, class... Arguments>
void launch_kernel(dim3 grid, dim3 block, void (*kernel)(Parameters...), Arguments... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, arguments...);
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

/// The message of the error that `callable` ends with; "" if it ends well.
template <class Callable>
std::string simt_error_of(Callable&& callable) {
  try {
    callable();
  } catch (const simt::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace regtorch::testing
