#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <utility>

#include "simt/launch.hpp"
#include "simt/vector_types.hpp"

// The host's side: one device, whose memory is the host's and which is done when a call returns.

using cudaStream_t = struct CUstream_st*;

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidDevice = 101,
};
using cudaError = cudaError_t;

enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault,
};

enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrWarpSize = 10,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrMaxThreadsPerMultiProcessor = 39,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
};

struct cudaLaunchAttribute;

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

namespace regtorch::simt {

/// Keeps an error for cudaGetLastError and returns it.
cudaError_t remembered(cudaError_t error);

}  // namespace regtorch::simt

const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();

cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaDeviceSynchronize();

cudaError_t cudaMalloc(void** memory, std::size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMemset(void* memory, int byte, std::size_t count);
cudaError_t cudaMemsetAsync(void* memory, int byte, std::size_t count, cudaStream_t stream = {});
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = {});

/// Each thread gets its own copy of the arguments. Kernels that take dynamic shared memory are not
/// emulated. Throws regtorch::simt::Error where a kernel does what CUDA leaves undefined.
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  if (!regtorch::simt::launchable(config->gridDim, config->blockDim)) {
    return regtorch::simt::remembered(cudaErrorInvalidConfiguration);
  }
  if (config->dynamicSmemBytes != 0) return regtorch::simt::remembered(cudaErrorInvalidValue);
  [&](Parameters... converted) {
    regtorch::simt::run_grid(config->gridDim, config->blockDim, [&] { kernel(converted...); });
  }(std::forward<Arguments>(arguments)...);
  return cudaSuccess;
}
