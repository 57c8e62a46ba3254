#pragma once

#include "regtorch/kernels/device_kernels.hpp"

namespace regtorch::testing {

/// The program's table filled with the device kernels on the emulator, for the time of a scope:
/// they take CPU tensors for a device's.
class EmulatedKernels {
 public:
  EmulatedKernels();
  ~EmulatedKernels() { kernels::device_kernels() = before_; }
  EmulatedKernels(const EmulatedKernels&) = delete;
  EmulatedKernels& operator=(const EmulatedKernels&) = delete;

 private:
  kernels::DeviceKernels before_ = kernels::device_kernels();
};

}  // namespace regtorch::testing
