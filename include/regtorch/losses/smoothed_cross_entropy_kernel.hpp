#pragma once

#include <variant>

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/enum.h>

#include "regtorch/core/kernel_tensor.hpp"
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
  return has_format(x.scalar_type()) && what.dim == x.dim() - 1 && is_plain_memory(x) &&
         is_plain_memory(what.targets);
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
