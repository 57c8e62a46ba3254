#include "emulated_kernels.hpp"

#include "regtorch/cuda/fill_table.cuh"

namespace regtorch::testing {

namespace {

struct EmulatedQueue {
  explicit EmulatedQueue(int) {}
  operator cudaStream_t() const { return nullptr; }
};

}  // namespace

EmulatedKernels::EmulatedKernels() {
  cuda::fill_device_kernels<EmulatedQueue>(kernels::device_kernels());
}

}  // namespace regtorch::testing
