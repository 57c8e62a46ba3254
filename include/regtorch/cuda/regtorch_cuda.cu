// The component regtorch::cuda: every target that links it compiles this file, which fills the
// table of device kernels when the program is loaded. A program that has it twice fills it twice,
// with the same functions.

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "regtorch/cuda/fill_table.cuh"
#include "regtorch/kernels/device_kernels.hpp"

namespace {

/// LibTorch's current stream of a device, which is the current one as long as this lives.
class TorchQueue {
 public:
  explicit TorchQueue(int device)
      : guard_(static_cast<c10::DeviceIndex>(device)),
        stream_(c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device))) {}
  operator cudaStream_t() const { return stream_; }

 private:
  c10::cuda::CUDAGuard guard_;
  cudaStream_t stream_;
};

[[maybe_unused]] const bool filled = [] {
  regtorch::cuda::fill_device_kernels<TorchQueue>(regtorch::kernels::device_kernels());
  return true;
}();

}  // namespace
