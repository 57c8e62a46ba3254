#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include "regtorch/kernels/element_type.hpp"

/// Tensors as kernels::DeviceKernels takes them.
namespace regtorch::detail {

/// @throws c10::Error for a type that no device kernel has
inline kernels::ElementType element_type(c10::ScalarType type) {
  switch (type) {
    case c10::kFloat:
      return kernels::ElementType::kFloat32;
    case c10::kDouble:
      return kernels::ElementType::kFloat64;
    case c10::kHalf:
      return kernels::ElementType::kFloat16;
    case c10::kBFloat16:
      return kernels::ElementType::kBFloat16;
    default:
      TORCH_CHECK(false, "regtorch: wanted Float, Double, Half or BFloat16, got ", type);
  }
}

/// The number of a tensor's device.
inline int device_number(const at::Tensor& tensor) { return tensor.device().index(); }

}  // namespace regtorch::detail
