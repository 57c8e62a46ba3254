#pragma once

#include <cstdint>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "regtorch/core/device_memory.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/losses/smoothed_cross_entropy_kernel.hpp"

namespace regtorch::detail {

/// The loss by the table's device kernels: the forward pass reads the logits once and keeps two
/// numbers a row, the backward pass reads them again and writes the gradient. Nothing waits for the
/// device.
class DeviceLossFunction : public torch::autograd::Function<DeviceLossFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& logits,
                            const KernelLoss& loss) {
    auto state = c10::make_intrusive<State>();
    const at::Tensor& weight = loss.what.weight;
    state->weight_sum = weight.defined() ? weight.sum() : at::Tensor();
    const auto floats = logits.options().dtype(at::kFloat);
    const at::Tensor losses = at::empty(loss.what.targets.sizes(), floats);
    const at::Tensor weights = at::empty_like(losses);
    state->statistics = at::empty({losses.numel(), 2}, floats);
    kernels::device_kernels().smoothed_cross_entropy_forward(
        device_number(logits), rows_of(loss.what, state->weight_sum),
        losses.mutable_data_ptr<float>(), weights.mutable_data_ptr<float>(),
        state->statistics.mutable_data_ptr<float>());
    at::Tensor result = losses;
    if (!loss.each()) {
      result = losses.sum(at::kDouble);  // rows may be many
      if (loss.mean()) {
        state->divisor = weights.sum(at::kDouble);
        result = result / state->divisor;
      }
    }
    ctx->save_for_backward({logits, loss.what.targets, weight});
    state->loss = without_tensors(loss);
    ctx->saved_data["state"] = c10::IValue::make_capsule(std::move(state));
    return result.to(loss.returns);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& incoming) {
    const auto& state = static_cast<const State&>(*ctx->saved_data["state"].toCapsule());
    const KernelLoss loss = with_tensors(state.loss, ctx->get_saved_variables());
    const at::Tensor& logits = loss.what.logits;
    if (at::GradMode::is_enabled()) {  // to be differentiated again
      return {differentiable_gradient(loss, incoming[0]), at::Tensor()};
    }
    const at::Tensor factors =
        loss.mean() ? incoming[0].to(at::kDouble) / state.divisor : incoming[0];
    const at::Tensor given = factors.to(at::kFloat).contiguous();
    at::Tensor gradient = at::empty_like(logits);
    kernels::device_kernels().smoothed_cross_entropy_backward(
        device_number(gradient), rows_of(loss.what, state.weight_sum),
        state.statistics.const_data_ptr<float>(), given.const_data_ptr<float>(), loss.each(),
        gradient.mutable_data_ptr());
    return {gradient, at::Tensor()};
  }

 private:
  struct State : torch::CustomClassHolder {
    KernelLoss loss;        ///< without its tensors, which autograd watches over
    at::Tensor statistics;  ///< of the rows
    at::Tensor weight_sum;  ///< undefined without weights
    at::Tensor divisor;     ///< of the mean, float64, or undefined
  };

  static kernels::SmoothedRows rows_of(const SmoothedCrossEntropy& what,
                                       const at::Tensor& weight_sum) {
    const at::Tensor& logits = what.logits;
    kernels::SmoothedRows rows;
    rows.logits = logits.const_data_ptr();
    rows.type = element_type(logits.scalar_type());
    rows.targets = what.targets.const_data_ptr<std::int64_t>();
    rows.rows = what.targets.numel();
    rows.classes = logits.size(what.dim);
    if (weight_sum.defined()) {
      rows.weight = what.weight.const_data_ptr<float>();
      rows.weight_sum = weight_sum.const_data_ptr<float>();
    }
    rows.scale = static_cast<float>(what.scale);
    rows.floor = static_cast<float>(what.floor);
    rows.ignore_index = what.ignore_index;
    return rows;
  }
};

/// The loss by the device kernels, differentiable.
inline at::Tensor device_loss(const KernelLoss& loss) {
  return DeviceLossFunction::apply(loss.what.logits, loss);
}

}  // namespace regtorch::detail
