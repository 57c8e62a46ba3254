#pragma once

#include <algorithm>
#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <benchmark/benchmark.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

namespace regtorch::bench {

inline int device_attribute(cudaDeviceAttr attribute) {
  int value = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&value, attribute, 0));
  return value;
}

/// Bytes a second that the device's memory moves at best.
inline double peak_bandwidth() {
  const double kilohertz = device_attribute(cudaDevAttrMemoryClockRate);
  const double bits = device_attribute(cudaDevAttrGlobalMemoryBusWidth);
  return 2 * 1e3 * kilohertz * bits / 8;
}

/// Times work on LibTorch's current stream by the device's own clock.
///
/// Before each turn the device's cache is filled with something else. That takes so long that the
/// launches of the turn wait in the queue when it ends: what is measured is the device's time, not
/// the host's.
class DeviceTimer {
 public:
  DeviceTimer() {
    C10_CUDA_CHECK(cudaEventCreate(&begin_));
    C10_CUDA_CHECK(cudaEventCreate(&end_));
  }
  ~DeviceTimer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  DeviceTimer(const DeviceTimer&) = delete;
  DeviceTimer& operator=(const DeviceTimer&) = delete;

  /// Runs `work` as often as Google Benchmark wants, after once to warm up.
  /// @param bytes  that a turn has to move
  template <class Work>
  void run(benchmark::State& state, std::int64_t bytes, Work work) {
    const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
    work();  // takes from the caching allocator what the others then take from it
    for (auto _ : state) {
      other_.zero_();
      C10_CUDA_CHECK(cudaEventRecord(begin_, stream));
      work();
      C10_CUDA_CHECK(cudaEventRecord(end_, stream));
      C10_CUDA_CHECK(cudaEventSynchronize(end_));
      float milliseconds = 0;
      C10_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin_, end_));
      state.SetIterationTime(static_cast<double>(milliseconds) * 1e-3);
    }
    const auto moved = static_cast<double>(bytes);
    state.counters["bytes_per_second"] =
        benchmark::Counter(moved, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["percent_of_peak"] = benchmark::Counter(
        100 * moved / peak_bandwidth(), benchmark::Counter::kIsIterationInvariantRate);
  }

 private:
  at::Tensor other_ =
      at::empty({std::max<std::int64_t>(2 * device_attribute(cudaDevAttrL2CacheSize), 256 << 20)},
                at::TensorOptions(at::kByte).device(at::kCUDA));
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

}  // namespace regtorch::bench
