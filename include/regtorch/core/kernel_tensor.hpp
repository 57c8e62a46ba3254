#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/ScalarType.h>

#include "regtorch/kernels/float_formats.hpp"

namespace regtorch::detail {

/// Whether a tensor is plain memory, all that there is to it: nobody who differentiates forward,
/// maps over a batch or records is to hear of what is done to it.
inline bool is_plain_memory(const at::Tensor& x) {
  constexpr c10::DispatchKeySet kWrapped(
      {c10::DispatchKey::FuncTorchBatched, c10::DispatchKey::FuncTorchGradWrapper,
       c10::DispatchKey::Functionalize, c10::DispatchKey::Python, c10::DispatchKey::Conjugate,
       c10::DispatchKey::Negative, c10::DispatchKey::ZeroTensor});
  return x.layout() == at::kStrided && !x.key_set().has_any(kWrapped) && !x._fw_grad(0).defined();
}

/// Whether dispatch_format knows the type.
inline bool has_format(c10::ScalarType type) {
  return type == at::kFloat || type == at::kBFloat16 || type == at::kHalf;
}

/// Calls `function` with kernels::Float32Format{} and so on, which says how numbers of the type
/// lie in memory.
template <class Function>
void dispatch_format(c10::ScalarType type, const Function& function) {
  if (type == at::kFloat) {
    function(kernels::Float32Format{});
  } else if (type == at::kBFloat16) {
    function(kernels::BFloat16Format{});
  } else {
    function(kernels::Float16Format{});
  }
}

}  // namespace regtorch::detail
