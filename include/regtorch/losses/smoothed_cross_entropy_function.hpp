#pragma once

#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/graph_task.h>

#include "regtorch/losses/smoothed_cross_entropy_cpu.hpp"
#include "regtorch/losses/smoothed_cross_entropy_kernel.hpp"

namespace regtorch::detail {

/// Makes the gradient in the forward pass, while the logits are at hand. The backward hands it on
/// untouched when the incoming gradient is 1, as it is of a loss that is differentiated itself.
class CpuLossFunction : public torch::autograd::Function<CpuLossFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& logits,
                            const CpuLoss& loss) {
    auto state = c10::make_intrusive<State>();
    state->loss = without_tensors(loss);
    state->gradient = at::empty_like(logits);
    at::Tensor result = kernel_loss(loss, state->gradient);
    ctx->save_for_backward({logits, loss.what.targets, loss.what.weight});
    ctx->saved_data["state"] = c10::IValue::make_capsule(std::move(state));
    return result;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& incoming) {
    auto& state = static_cast<State&>(*ctx->saved_data["state"].toCapsule());
    return {gradient(*ctx, state, incoming[0]), at::Tensor()};
  }

 private:
  struct State : torch::CustomClassHolder {
    CpuLoss loss;  ///< without its tensors, which autograd watches over
    at::Tensor gradient;
  };

  static at::Tensor gradient(const torch::autograd::AutogradContext& ctx, State& state,
                             const at::Tensor& incoming) {
    const bool keep = torch::autograd::get_current_graph_task_keep_graph();
    if (at::GradMode::is_enabled()) {  // to be differentiated again
      return differentiable_gradient(with_tensors(state.loss, ctx.get_saved_variables()), incoming);
    }
    TORCH_CHECK(state.gradient.defined(),
                "LabelSmoothingLoss: wanted retain_graph=true at the first of several backward "
                "passes, got a second one through a graph that is freed");
    const at::Tensor made = keep ? state.gradient : std::move(state.gradient);
    const bool one =
        state.loss.each() ? incoming.eq(1).all().item<bool>() : incoming.item<double>() == 1;
    if (one) {
      return keep ? made.clone() : made;  // the receiver may write into it
    }
    if (made.scalar_type() == at::kFloat) {
      const at::Tensor factor = state.loss.each() ? incoming.unsqueeze(-1) : incoming;
      return keep ? made.mul(factor) : made.mul_(factor);
    }
    // Made anew: what is scaled after it was rounded is rounded twice, and a scale that is there to
    // keep float16 gradients from vanishing would come too late.
    at::Tensor result = keep ? at::empty_like(made) : made;
    run_kernel(with_tensors(state.loss, ctx.get_saved_variables()), result, {},
               incoming.to(at::kFloat).contiguous());
    return result;
  }
};

/// The loss by the kernel, differentiable if the logits ask for it.
inline at::Tensor cpu_loss(const CpuLoss& loss) {
  const at::Tensor& logits = loss.what.logits;
  return at::GradMode::is_enabled() && logits.requires_grad() ? CpuLossFunction::apply(logits, loss)
                                                              : kernel_loss(loss, {});
}

}  // namespace regtorch::detail
