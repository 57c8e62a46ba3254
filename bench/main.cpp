// main of regtorch_bench: what the report says of the machine and the build goes into the output.

#include <fstream>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "regtorch/kernels/simd.hpp"
#include "regtorch/version.hpp"

namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown processor";
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::AddCustomContext("cpu", cpu_model());
  benchmark::AddCustomContext("isa", to_string(regtorch::kernels::active_isa()));
  benchmark::AddCustomContext("threads", std::to_string(torch::get_num_threads()));
#if defined(__clang__)
  benchmark::AddCustomContext("compiler", "clang " __clang_version__);
#else
  benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
#endif
  benchmark::AddCustomContext("flags", REGTORCH_BENCH_FLAGS);
  benchmark::AddCustomContext("libtorch", TORCH_VERSION);
  benchmark::AddCustomContext("regtorch", std::to_string(REGTORCH_VERSION_MAJOR) + "." +
                                              std::to_string(REGTORCH_VERSION_MINOR) + "." +
                                              std::to_string(REGTORCH_VERSION_PATCH));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
