#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/take.h>
#include <c10/core/ScalarType.h>
#include <torch/enum.h>

#include "regtorch/core/sum_in_blocks.hpp"
#include "regtorch/losses/label_smoothing_options.hpp"

namespace regtorch::detail {

/// What is to be computed, once everything has been checked.
struct SmoothedCrossEntropy {
  at::Tensor logits;
  at::Tensor targets;
  at::Tensor weight;              ///< [K], or undefined
  double scale = 1;               ///< a target row t becomes scale * t + floor
  double floor = 0;               ///< s / (K - 1) or s / K
  std::int64_t dim = 0;           ///< the classes', not negative
  std::int64_t ignore_index = 0;  ///< only integer targets are compared with it
  bool any_ignored = false;       ///< false: no target is ignore_index; true: one may be
  c10::ScalarType type{};         ///< to compute in and to return
};

/// log softmax of the logits, each class's times its weight.
inline at::Tensor weighted_log_softmax(const SmoothedCrossEntropy& what, const at::Tensor& logits) {
  at::Tensor log_p = at::log_softmax(logits, what.dim, what.type);
  if (!what.weight.defined()) {
    return log_p;
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(log_p.dim()), 1);
  shape[static_cast<std::size_t>(what.dim)] = what.weight.size(0);
  return log_p * what.weight.view(shape);
}

/// The loss for integer targets as a composition of ATen's operators. No [N,K] target is made:
///
///     loss_i = -(scale * w_t * log p_t + floor * sum_c w_c log p_c)
inline at::Tensor hard_target_loss(const SmoothedCrossEntropy& what,
                                   const LabelSmoothingLossOptions::reduction_t& reduction) {
  const bool each = std::holds_alternative<torch::enumtype::kNone>(reduction);
  at::Tensor ignored;
  at::Tensor index = what.targets;
  at::Tensor logits = what.logits;
  if (what.any_ignored) {
    ignored = index.eq(what.ignore_index);
    index = index.masked_fill(ignored, 0);
    // Their gradient is 0 whatever they are; through the softmax of a nan it would be 0 * nan.
    logits = logits.masked_fill(ignored.unsqueeze(what.dim), 0);
  }
  const at::Tensor log_p = weighted_log_softmax(what, logits);
  at::Tensor loss = log_p.gather(what.dim, index.unsqueeze(what.dim)).squeeze(what.dim);
  // With nothing to mask, summing once over everything is quicker than by sample.
  const bool by_sample = each || what.any_ignored;
  loss = (by_sample ? loss : sum_in_blocks(loss)) * -what.scale;
  if (what.floor != 0) {  // 0 * -inf would be nan
    loss = loss.sub(by_sample ? log_p.sum(what.dim) : sum_in_blocks(log_p), what.floor);
  }
  if (what.any_ignored) {
    loss = loss.masked_fill(ignored, 0);
  }
  if (each) {
    return loss;
  }
  loss = by_sample ? sum_in_blocks(loss) : loss;
  if (std::holds_alternative<torch::enumtype::kSum>(reduction)) {
    return loss;
  }
  if (what.weight.defined()) {
    const at::Tensor weights = at::take(what.weight, index);
    return loss / sum_in_blocks(what.any_ignored ? weights.masked_fill(ignored, 0) : weights);
  }
  return what.any_ignored ? loss / ignored.logical_not().sum()
                          : loss / static_cast<double>(index.numel());
}

/// The loss for targets that are probabilities as a composition of ATen's operators:
///
///     loss_i = -sum_c (scale * t_c + floor) * w_c log p_c
inline at::Tensor soft_target_loss(const SmoothedCrossEntropy& what,
                                   const LabelSmoothingLossOptions::reduction_t& reduction) {
  const at::Tensor log_p = weighted_log_softmax(what, what.logits);
  const at::Tensor targets = what.targets.to(what.type);
  const at::Tensor terms = log_p * (what.floor == 0 ? targets : targets * what.scale + what.floor);
  if (std::holds_alternative<torch::enumtype::kNone>(reduction)) {
    return -terms.sum(what.dim);
  }
  if (std::holds_alternative<torch::enumtype::kSum>(reduction)) {
    return -sum_in_blocks(terms);
  }
  const std::int64_t rows = terms.numel() / terms.size(what.dim);
  return sum_in_blocks(terms) / -static_cast<double>(rows);
}

}  // namespace regtorch::detail
