#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include "regtorch/core/dense_arrays.hpp"
#include "regtorch/core/device_arrays.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/norms.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/weights/device_norms.hpp"

namespace regtorch {

namespace detail {

/// The gradients of those parameters that have one.
inline std::vector<at::Tensor> gradients_of(const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) {
      gradients.push_back(parameter.grad());
    }
  }
  return gradients;
}

/// The sum of squares of all, which are dense, in float64: one read of each.
inline double sum_of_squares(const std::vector<at::Tensor>& tensors) {
  ArrayBlocks blocks;
  for (const auto& tensor : tensors) {
    blocks.add(tensor.numel());
  }
  std::vector<double> sums(static_cast<std::size_t>(blocks.count()));
  const kernels::Isa isa = kernels::active_isa();
  AT_DISPATCH_FLOATING_TYPES(tensors.front().scalar_type(), "sum_of_squares", [&] {
    blocks.for_each(
        [&](std::int64_t block, std::size_t array, std::int64_t begin, std::int64_t end) {
          sums[static_cast<std::size_t>(block)] +=
              kernels::sums<false, true>(tensors[array].const_data_ptr<scalar_t>(), begin, end, isa)
                  .squares;
        });
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// Multiplies all, which are dense and apart: one read and one write of each.
inline void scale_all(const std::vector<at::Tensor>& tensors, double factor) {
  ArrayBlocks blocks;
  std::vector<void*> arrays;
  for (const auto& tensor : tensors) {
    blocks.add(tensor.numel());
    arrays.push_back(tensor.mutable_data_ptr());
  }
  const kernels::Isa isa = kernels::active_isa();
  AT_DISPATCH_FLOATING_TYPES(tensors.front().scalar_type(), "scale_all", [&] {
    blocks.for_each([&](std::int64_t, std::size_t array, std::int64_t begin, std::int64_t end) {
      kernels::scale(static_cast<scalar_t*>(arrays[array]), begin, end, factor, isa);
    });
  });
  for (const auto& tensor : tensors) {
    tensor.unsafeGetTensorImpl()->bump_version();
  }
}

/// Throws c10::Error unless the norm of gradients is finite.
inline void check_norm(double norm) {
  TORCH_CHECK(std::isfinite(norm), "clip_grad_norm_: wanted finite gradients, got some of norm ",
              norm);
}

}  // namespace detail

/// Scales the gradients of all parameters by one factor so that their norm is at most `max_norm`:
///
///     total = sqrt(sum of all g_i^2),    g_i <- g_i * min(1, max_norm / (total + 1e-6))
///
/// as torch.nn.utils.clip_grad_norm_ does. The norm is of float32 or, if a gradient is float64, of
/// that, and has the same bits for any number of threads. Gradients of a norm within the limit are
/// read and not written.
///
/// @param parameters  those without a gradient count for nothing; all on one device
/// @param max_norm    above 0
/// @return the norm before, a tensor without dimensions
/// @throws c10::ValueError if max_norm is not above 0; c10::Error, with the gradients as they were,
///         if the norm on the CPU is not finite (on other devices nothing waits to look)
///
/// Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
/// 2013.
inline at::Tensor clip_grad_norm_(const std::vector<at::Tensor>& parameters, double max_norm) {
  TORCH_CHECK_VALUE(max_norm > 0, "clip_grad_norm_: wanted a max_norm above 0, got ", max_norm);
  const at::NoGradGuard no_grad;
  const auto gradients = detail::gradients_of(parameters);
  if (gradients.empty()) {
    return at::zeros({});
  }
  if (detail::are_dense_and_apart(gradients)) {
    at::Tensor total = at::scalar_tensor(std::sqrt(detail::sum_of_squares(gradients)),
                                         gradients.front().options());
    detail::check_norm(total.item<double>());
    const double factor = max_norm / (total.item<double>() + 1e-6);
    if (factor < 1) {
      detail::scale_all(gradients, factor);
    }
    return total;
  }
  if (kernels::device_kernels().clip_norm != nullptr &&
      detail::are_dense_on_device_and_apart(gradients)) {
    return detail::clip_norm_on_device(gradients, max_norm);
  }
  auto type = c10::kFloat;
  for (const auto& gradient : gradients) {
    type = c10::promoteTypes(type, gradient.scalar_type());
  }
  at::Tensor total = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2, type)));
  if (total.is_cpu()) {
    detail::check_norm(total.item<double>());
  }
  at::_foreach_mul_(gradients, (max_norm / (total + 1e-6)).clamp_max(1.0));
  return total;
}

/// Clamps each element of the gradients to [-clip_value, clip_value], as
/// torch.nn.utils.clip_grad_value_ does.
///
/// @param parameters  those without a gradient count for nothing
/// @param clip_value  above 0
/// @throws c10::ValueError if clip_value is not above 0
inline void clip_grad_value_(const std::vector<at::Tensor>& parameters, double clip_value) {
  TORCH_CHECK_VALUE(clip_value > 0, "clip_grad_value_: wanted a clip_value above 0, got ",
                    clip_value);
  const at::NoGradGuard no_grad;
  const auto gradients = detail::gradients_of(parameters);
  if (!gradients.empty()) {
    at::_foreach_clamp_min_(gradients, -clip_value);
    at::_foreach_clamp_max_(gradients, clip_value);
  }
}

}  // namespace regtorch
