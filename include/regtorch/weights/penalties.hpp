#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/custom_function.h>

#include "regtorch/core/dense_arrays.hpp"
#include "regtorch/core/sum_in_blocks.hpp"
#include "regtorch/kernels/norms.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/weights/parameters.hpp"

namespace regtorch {

namespace detail {

/// The strengths of the two penalties.
struct PenaltyStrengths {
  double l1 = 0;
  double l2 = 0;
};

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

/// kL1 and kL2 say which penalties there are: one of strength 0 is still not finite where a weight
/// isn't.
template <bool kL1, bool kL2>
class DensePenalty : public torch::autograd::Function<DensePenalty<kL1, kL2>> {
 public:
  /// One read of each weight.
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList parameters,
                            PenaltyStrengths strengths) {
    context->save_for_backward(parameters.vec());
    context->saved_data["l1"] = strengths.l1;
    context->saved_data["l2"] = strengths.l2;
    ArrayBlocks blocks;
    for (const auto& parameter : parameters) {
      blocks.add(parameter.numel());
    }
    std::vector<kernels::Sums> sums(static_cast<std::size_t>(blocks.count()));
    const kernels::Isa isa = kernels::active_isa();
    AT_DISPATCH_FLOATING_TYPES(parameters.front().scalar_type(), "penalty", [&] {
      blocks.for_each([&](std::int64_t block, std::size_t array, std::int64_t begin,
                          std::int64_t end) {
        sums[static_cast<std::size_t>(block)] +=
            kernels::sums<kL1, kL2>(parameters[array].const_data_ptr<scalar_t>(), begin, end, isa);
      });
    });
    kernels::Sums total;
    for (const auto& sum : sums) {
      total += sum;
    }
    double value = 0;
    if constexpr (kL1) {
      value += strengths.l1 * total.absolute;
    }
    if constexpr (kL2) {
      value += strengths.l2 * total.squares;
    }
    return at::scalar_tensor(value, parameters.front().options());
  }

  /// One read and one write of each weight; by ATen's operators where the gradient is to be
  /// differentiated in turn.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list incoming) {
    const auto parameters = context->get_saved_variables();
    const double l1 = context->saved_data["l1"].toDouble();
    const double l2 = context->saved_data["l2"].toDouble();
    torch::autograd::variable_list gradients(parameters.size() + 1);  // none for the strengths
    if (at::GradMode::is_enabled()) {
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        const at::Tensor& w = parameters[i];
        gradients[i] = incoming[0] * (kL2 ? 2 * l2 * w + l1 * w.sign() : l1 * w.sign());
      }
      return gradients;
    }
    ArrayBlocks blocks;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      gradients[i] = at::empty_like(parameters[i]);
      blocks.add(parameters[i].numel());
    }
    const double scale = incoming[0].item<double>();
    const kernels::Isa isa = kernels::active_isa();
    AT_DISPATCH_FLOATING_TYPES(parameters.front().scalar_type(), "penalty", [&] {
      blocks.for_each([&](std::int64_t, std::size_t i, std::int64_t begin, std::int64_t end) {
        kernels::penalty_gradient(parameters[i].const_data_ptr<scalar_t>(),
                                  gradients[i].mutable_data_ptr<scalar_t>(), begin, end, scale * l1,
                                  scale * l2, isa);
      });
    });
    return gradients;
  }
};

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
  if (detail::are_dense_and_apart(parameters.tensors())) {
    return detail::DensePenalty<true, false>::apply(at::TensorList(parameters.tensors()),
                                                    detail::PenaltyStrengths{strength, 0});
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
  if (detail::are_dense_and_apart(parameters.tensors())) {
    return detail::DensePenalty<false, true>::apply(at::TensorList(parameters.tensors()),
                                                    detail::PenaltyStrengths{0, strength});
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
  if (detail::are_dense_and_apart(parameters.tensors())) {
    detail::check_strength("l1_penalty", l1);
    detail::check_strength("l2_penalty", l2);
    return detail::DensePenalty<true, true>::apply(at::TensorList(parameters.tensors()),
                                                   detail::PenaltyStrengths{l1, l2});
  }
  return l1_penalty(parameters, l1) + l2_penalty(parameters, l2);
}

}  // namespace regtorch
