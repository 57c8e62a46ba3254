#pragma once

#include <variant>

#include <ATen/core/Tensor.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/ScalarType.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/enum.h>

#include "regtorch/losses/label_smoothing_options.hpp"
#include "regtorch/losses/smoothed_cross_entropy_aten.hpp"

/// What the losses by kernels, the CPU's and a device's, have in common.
namespace regtorch::detail {

/// One loss to be computed by a kernel.
struct KernelLoss {
  SmoothedCrossEntropy what;  ///< tensors contiguous, classes last
  LabelSmoothingLossOptions::reduction_t reduction;
  c10::ScalarType returns = {};  ///< of the loss

  bool each() const { return std::holds_alternative<torch::enumtype::kNone>(reduction); }
  bool mean() const { return std::holds_alternative<torch::enumtype::kMean>(reduction); }
};

/// A loss that autograd keeps, without the tensors that it watches over itself.
template <class Loss>
Loss without_tensors(Loss loss) {
  loss.what.logits = loss.what.targets = loss.what.weight = at::Tensor();
  return loss;
}

/// @param saved  logits, targets and weight
template <class Loss>
Loss with_tensors(Loss loss, const torch::autograd::variable_list& saved) {
  loss.what.logits = saved[0];
  loss.what.targets = saved[1];
  loss.what.weight = saved[2];
  return loss;
}

/// Whether a kernel can compute it: integer targets, float32 arithmetic, classes last, and tensors
/// that are plain memory.
inline bool kernel_computes(const SmoothedCrossEntropy& what) {
  const at::Tensor& x = what.logits;
  constexpr c10::DispatchKeySet kWrapped(
      {c10::DispatchKey::FuncTorchBatched, c10::DispatchKey::FuncTorchGradWrapper,
       c10::DispatchKey::Functionalize, c10::DispatchKey::Python, c10::DispatchKey::Conjugate,
       c10::DispatchKey::Negative, c10::DispatchKey::ZeroTensor});
  const c10::ScalarType type = x.scalar_type();
  return x.layout() == at::kStrided &&
         (type == at::kFloat || type == at::kBFloat16 || type == at::kHalf) &&
         what.dim == x.dim() - 1 && !x.key_set().has_any(kWrapped) &&
         !what.targets.key_set().has_any(kWrapped) && !x._fw_grad(0).defined();
}

/// The gradient of the logits as a composition of operators, to be differentiated again.
///
/// @param incoming  of the loss
inline at::Tensor differentiable_gradient(const KernelLoss& loss, const at::Tensor& incoming) {
  return torch::autograd::grad({hard_target_loss(loss.what, loss.reduction).to(loss.returns)},
                               {loss.what.logits}, {incoming}, /*retain_graph=*/true,
                               /*create_graph=*/true)[0];
}

}  // namespace regtorch::detail
