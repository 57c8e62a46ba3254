#pragma once

#include <cmath>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

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

}  // namespace detail

/// Scales the gradients of all parameters by one factor so that their norm is at most `max_norm`:
///
///     total = sqrt(sum of all g_i^2),    g_i <- g_i * min(1, max_norm / (total + 1e-6))
///
/// as torch.nn.utils.clip_grad_norm_ does. The norm is computed in float32 or, if a gradient is
/// float64, in that.
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
  auto type = c10::kFloat;
  for (const auto& gradient : gradients) {
    type = c10::promoteTypes(type, gradient.scalar_type());
  }
  const at::Tensor total = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2, type)));
  if (total.is_cpu()) {
    TORCH_CHECK(std::isfinite(total.item<double>()),
                "clip_grad_norm_: wanted finite gradients, got some of norm ",
                total.item<double>());
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
