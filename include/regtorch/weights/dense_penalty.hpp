#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/autograd/custom_function.h>

#include "regtorch/core/dense_arrays.hpp"
#include "regtorch/core/device_arrays.hpp"
#include "regtorch/kernels/device_arrays.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/norms.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/weights/device_norms.hpp"

namespace regtorch::detail {

/// Whether DensePenalty can take these.
inline bool are_read_in_one_pass(const std::vector<at::Tensor>& parameters) {
  const auto& on_device = kernels::device_kernels();
  return are_dense_and_apart(parameters) ||
         (on_device.penalty != nullptr && on_device.penalty_gradient != nullptr &&
          are_dense_on_device_and_apart(parameters));
}

/// The penalties of weights that are read in one pass.
///
/// kL1 and kL2 say which penalties there are: one of strength 0 is still not finite where a weight
/// isn't.
template <bool kL1, bool kL2>
class DensePenalty : public torch::autograd::Function<DensePenalty<kL1, kL2>> {
 public:
  /// One read of each weight.
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList parameters,
                            double l1, double l2) {
    context->save_for_backward(parameters.vec());
    context->saved_data["l1"] = l1;
    context->saved_data["l2"] = l2;
    if (!parameters.front().is_cpu()) {
      return penalty_on_device(parameters, rule(l1, l2));
    }
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
      value += l1 * total.absolute;
    }
    if constexpr (kL2) {
      value += l2 * total.squares;
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
    torch::autograd::variable_list gradients(parameters.size() + 2);  // none for the strengths
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
    if (!parameters.front().is_cpu()) {
      penalty_gradient_on_device(parameters, {gradients.data(), parameters.size()}, rule(l1, l2),
                                 incoming[0]);
      return gradients;
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

 private:
  static kernels::PenaltyRule rule(double l1, double l2) {
    return {.l1 = l1, .l2 = l2, .has_l1 = kL1, .has_l2 = kL2};
  }
};

}  // namespace regtorch::detail
