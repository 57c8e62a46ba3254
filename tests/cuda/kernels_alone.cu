// All device kernels without LibTorch: .ci/run compiles this for each architecture, with warnings
// and spilled registers as errors.

#include "regtorch/cuda/fill_table.cuh"

namespace {

struct DefaultQueue {
  explicit DefaultQueue(int) {}
  operator cudaStream_t() const { return nullptr; }
};

}  // namespace

void fill(regtorch::kernels::DeviceKernels& table) {
  regtorch::cuda::fill_device_kernels<DefaultQueue>(table);
}
