#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>

#include "regtorch/labels/disturb_label.hpp"

namespace regtorch {

/// Directional DisturbLabel: disturbs only the labels that the model is already sure of.
///
/// With p = softmax(logits), a label is disturbed as DisturbLabel does it where
///
///     p[label] / ||p||_2 > 0.5
///
/// and passes unchanged elsewhere, and everywhere in eval mode.
///
///     rt::DirectionalDisturbLabel directional(/*alpha=*/30, /*num_classes=*/10);
///     torch::Tensor logits = model(images);
///     loss = criterion(logits, directional(labels, logits));
///
/// Options and errors are DisturbLabel's. No gradient flows through the choice.
///
/// Source: Kim, Lukashonak, Tarepakdee, Zavalich, Arif, "Disturbing target values for neural
/// network regularization", arXiv 2110.05003, 2021.
class DirectionalDisturbLabelImpl : public torch::nn::Cloneable<DirectionalDisturbLabelImpl> {
 public:
  /// Throws as DisturbLabelImpl does.
  explicit DirectionalDisturbLabelImpl(DisturbLabelOptions options) : options_(options) { reset(); }
  /// The same for DisturbLabelOptions(alpha, num_classes).
  DirectionalDisturbLabelImpl(double alpha, std::int64_t num_classes)
      : DirectionalDisturbLabelImpl(DisturbLabelOptions(alpha, num_classes)) {}

  /// For torch::nn::Cloneable.
  void reset() override { disturb = register_module("disturb", DisturbLabel(options_)); }

  /// @param labels  int64 or int32 [N] (or [N,d1,...])
  /// @param logits  [N,num_classes] (or [N,num_classes,d1,...]), any floating type
  /// @return new labels of the same type, shape and device
  /// @throws c10::ValueError as DisturbLabel, and if the shapes do not fit
  at::Tensor forward(const at::Tensor& labels, const at::Tensor& logits) {
    TORCH_CHECK_VALUE(labels.defined() && logits.defined() && logits.is_floating_point() &&
                          labels.device() == logits.device() && logits.dim() == labels.dim() + 1 &&
                          logits.dim() >= 2 && logits.size(0) == labels.size(0) &&
                          logits.size(1) == options_.num_classes() &&
                          logits.sizes().slice(2) == labels.sizes().slice(1),
                      "DirectionalDisturbLabel: wanted labels [N, ...] and floating-point logits ",
                      "[N, ", options_.num_classes(), ", ...] on one device, got ",
                      describe(labels), " and ", describe(logits));
    const at::Tensor disturbed = disturb->forward(labels);
    if (disturbed.is_same(labels)) {
      return labels;
    }
    const at::NoGradGuard no_grad;
    const at::Tensor p =
        at::softmax(logits.detach(), 1, c10::promoteTypes(logits.scalar_type(), at::kFloat));
    // An ignored label has no probability; DisturbLabel has left it alone already.
    const at::Tensor index = labels.to(at::kLong).clamp(0, options_.num_classes() - 1).unsqueeze(1);
    const at::Tensor sure = p.gather(1, index).squeeze(1) > 0.5 * p.norm(2, 1);
    return at::where(sure, disturbed, labels);
  }

  /// DisturbLabel's.
  TensorDict state_dict() const { return disturb->state_dict(); }
  /// @throws what DisturbLabel's throws
  void load_state_dict(const TensorDict& state) { disturb->load_state_dict(state); }

  /// What disturbs the labels that are to be disturbed.
  DisturbLabel disturb{nullptr};

 private:
  DisturbLabelOptions options_;
};

TORCH_MODULE(DirectionalDisturbLabel);

}  // namespace regtorch
