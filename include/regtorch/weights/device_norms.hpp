#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "regtorch/core/device_arrays.hpp"
#include "regtorch/core/device_memory.hpp"
#include "regtorch/kernels/device_arrays.hpp"
#include "regtorch/kernels/device_kernels.hpp"

/// Penalties, clip_grad_norm_ and max_norm_ of tensors that are dense on one device and apart, by
/// the table's functions, which must be there. Nothing waits for the device.
namespace regtorch::detail {

/// The penalty, a float32 tensor without dimensions.
inline at::Tensor penalty_on_device(at::TensorList parameters, const kernels::PenaltyRule& rule) {
  const auto arrays = arrays_of(parameters);
  const at::Tensor& first = parameters.front();
  const ChunkSums scratch(arrays, first);
  at::Tensor value = at::empty({}, first.options());
  kernels::device_kernels().penalty(device_number(first), arrays.data(),
                                    static_cast<std::int64_t>(arrays.size()), rule, scratch.data(),
                                    value.mutable_data_ptr<float>());
  return value;
}

/// Its gradients times `incoming`, a float32 tensor of one element, to tensors like the parameters.
inline void penalty_gradient_on_device(at::TensorList parameters, at::TensorList gradients,
                                       const kernels::PenaltyRule& rule,
                                       const at::Tensor& incoming) {
  auto arrays = arrays_of(parameters);
  write_to(arrays, gradients);
  const at::Tensor factor = incoming.resolve_neg().contiguous();
  kernels::device_kernels().penalty_gradient(device_number(factor), arrays.data(),
                                             static_cast<std::int64_t>(arrays.size()), rule,
                                             factor.const_data_ptr<float>());
}

/// Clips the gradients and returns their norm before.
inline at::Tensor clip_norm_on_device(const std::vector<at::Tensor>& gradients, double max_norm) {
  auto arrays = arrays_of(gradients);
  write_to(arrays, gradients);
  const at::Tensor& first = gradients.front();
  const ChunkSums scratch(arrays, first);
  at::Tensor norm = at::empty({}, first.options());
  const at::Tensor factor = at::empty({}, first.options());
  kernels::device_kernels().clip_norm(
      device_number(first), arrays.data(), static_cast<std::int64_t>(arrays.size()), max_norm,
      scratch.data(), norm.mutable_data_ptr<float>(), factor.mutable_data_ptr<float>());
  for (const auto& gradient : gradients) {
    gradient.unsafeGetTensorImpl()->bump_version();
  }
  return norm;
}

/// Scales filters down, each of which is one piece of memory.
inline void max_norm_on_device(const std::vector<at::Tensor>& weights, double max_norm) {
  std::vector<kernels::FilterArrays> arrays;
  for (const auto& weight : weights) {
    if (weight.numel() > 0) {
      arrays.push_back(
          {weight.mutable_data_ptr<float>(), weight.size(0), weight.numel() / weight.size(0)});
    }
  }
  kernels::device_kernels().max_norm(device_number(weights.front()), arrays.data(),
                                     static_cast<std::int64_t>(arrays.size()), max_norm);
  for (const auto& weight : weights) {
    weight.unsafeGetTensorImpl()->bump_version();
  }
}

}  // namespace regtorch::detail
