#pragma once

#include <torch/torch.h>

namespace regtorch::testing {

/// A tensor that says it is on a CUDA device, and whose memory is that of `memory`, a CPU tensor
/// that must outlive it: with EmulatedKernels a piece steps it as a device's, where LibTorch has no
/// CUDA. ATen's operators throw for it.
inline torch::Tensor on_device(const torch::Tensor& memory, int device = 0) {
  return at::for_blob(memory.mutable_data_ptr(), memory.sizes())
      .strides(memory.strides())
      .target_device(at::Device(at::kCUDA, static_cast<at::DeviceIndex>(device)))
      .options(memory.options().device(at::kCUDA, static_cast<at::DeviceIndex>(device)))
      .make_tensor();
}

}  // namespace regtorch::testing
