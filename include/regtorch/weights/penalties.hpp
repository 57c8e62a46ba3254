#pragma once

#include <cmath>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include "regtorch/core/sum_in_blocks.hpp"
#include "regtorch/weights/dense_penalty.hpp"
#include "regtorch/weights/parameters.hpp"

namespace regtorch {

namespace detail {

inline void check_strength(const char* who, double strength) {
  TORCH_CHECK_VALUE(strength >= 0 && std::isfinite(strength), who,
                    ": wanted a finite strength of at least 0, got ", strength);
}

/// strength * the sum of elementwise(w) over all parameters w, in float32 at least, on any device.
template <class Elementwise>
at::Tensor penalty_by_aten(const std::vector<at::Tensor>& parameters, double strength,
                           const Elementwise& elementwise) {
  at::Tensor total;
  for (const auto& parameter : parameters) {
    const auto type = c10::promoteTypes(parameter.scalar_type(), c10::kFloat);
    const at::Tensor sum = sum_in_blocks(elementwise(parameter.to(type)));
    total = total.defined() ? total + sum : sum;
  }
  return total * strength;
}

}  // namespace detail

/// The L1 penalty (lasso), to be added to a loss:
///
///     strength * sum of |w|,    with the gradient strength * sign(w), which is 0 at w = 0
///
/// It drives weights that the data does not ask for towards 0.
///
/// @param parameters  see parameters.hpp; floating-point, on one device
/// @param strength    finite, at least 0
/// @return a differentiable tensor without dimensions, float32 or, if a parameter is float64, that
/// @throws c10::ValueError for another strength, and where Parameters does
///
/// Source: Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
inline at::Tensor l1_penalty(const Parameters& parameters, double strength) {
  detail::check_strength("l1_penalty", strength);
  if (detail::are_read_in_one_pass(parameters.tensors())) {
    return detail::DensePenalty<true, false>::apply(at::TensorList(parameters.tensors()), strength,
                                                    0.0);
  }
  return detail::penalty_by_aten(parameters.tensors(), strength,
                                 [](const at::Tensor& w) { return w.abs(); });
}

/// The L2 penalty (ridge, Tikhonov), to be added to a loss:
///
///     strength * sum of w^2,    with the gradient 2 * strength * w
///
/// An optimizer that adds weight_decay * w to the gradient, as torch's SGD, Adam, RMSprop and
/// Adagrad do, steps as with this penalty at strength = weight_decay / 2, and costs less. AdamW
/// does not: it decays past the gradient.
///
/// @param parameters  see parameters.hpp; floating-point, on one device
/// @param strength    finite, at least 0
/// @return a differentiable tensor without dimensions, float32 or, if a parameter is float64, that
/// @throws c10::ValueError for another strength, and where Parameters does
///
/// Source: Hoerl, Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970;
/// Krogh, Hertz, "A simple weight decay can improve generalization", NIPS 1991.
inline at::Tensor l2_penalty(const Parameters& parameters, double strength) {
  detail::check_strength("l2_penalty", strength);
  if (detail::are_read_in_one_pass(parameters.tensors())) {
    return detail::DensePenalty<false, true>::apply(at::TensorList(parameters.tensors()), 0.0,
                                                    strength);
  }
  return detail::penalty_by_aten(parameters.tensors(), strength,
                                 [](const at::Tensor& w) { return w.square(); });
}

/// The elastic net: l1_penalty(parameters, l1) + l2_penalty(parameters, l2).
///
/// @param parameters  see parameters.hpp; floating-point, on one device
/// @param l1          strength of the L1 penalty; finite, at least 0
/// @param l2          strength of the L2 penalty; finite, at least 0
/// @return a differentiable tensor without dimensions, float32 or, if a parameter is float64, that
/// @throws c10::ValueError for another strength, and where Parameters does
///
/// Source: Zou, Hastie, "Regularization and variable selection via the elastic net", 2005.
inline at::Tensor elastic_net_penalty(const Parameters& parameters, double l1, double l2) {
  if (detail::are_read_in_one_pass(parameters.tensors())) {
    detail::check_strength("l1_penalty", l1);
    detail::check_strength("l2_penalty", l2);
    return detail::DensePenalty<true, true>::apply(at::TensorList(parameters.tensors()), l1, l2);
  }
  return l1_penalty(parameters, l1) + l2_penalty(parameters, l2);
}

}  // namespace regtorch
