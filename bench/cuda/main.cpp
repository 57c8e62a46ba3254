// main of regtorch_cuda_bench. Without a GPU it says so, and lists its benchmarks if asked to.

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>
#include <c10/cuda/CUDAException.h>
#include <cuda_runtime_api.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include "regtorch/version.hpp"

int main(int argc, char** argv) {
  const bool lists = std::any_of(argv, argv + argc, [](const char* argument) {
    return std::string_view(argument).starts_with("--benchmark_list_tests");
  });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  if (!torch::cuda::is_available() && !lists) {
    std::puts("regtorch_cuda_bench: no CUDA device here, so nothing is measured");
    return 0;
  }
  if (torch::cuda::is_available()) {
    cudaDeviceProp properties{};
    C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
    benchmark::AddCustomContext("gpu", properties.name);
  }
  benchmark::AddCustomContext("libtorch", TORCH_VERSION);
  benchmark::AddCustomContext("regtorch", std::to_string(REGTORCH_VERSION_MAJOR) + "." +
                                              std::to_string(REGTORCH_VERSION_MINOR) + "." +
                                              std::to_string(REGTORCH_VERSION_PATCH));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
