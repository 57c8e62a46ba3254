#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/take.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <torch/enum.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/sum_in_blocks.hpp"
#include "regtorch/losses/label_smoothing_options.hpp"

namespace regtorch {

namespace detail {

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
inline at::Tensor weighted_log_softmax(const SmoothedCrossEntropy& what) {
  const at::Tensor log_p = at::log_softmax(what.logits, what.dim, what.type);
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
  const at::Tensor log_p = weighted_log_softmax(what);
  at::Tensor ignored;
  at::Tensor index = what.targets;
  if (what.any_ignored) {
    ignored = index.eq(what.ignore_index);
    index = index.masked_fill(ignored, 0);
  }
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
  const at::Tensor log_p = weighted_log_softmax(what);
  const at::Tensor targets = what.targets.to(what.type);
  const at::Tensor terms = log_p * (what.floor == 0 ? targets : targets * what.scale + what.floor);
  if (std::holds_alternative<torch::enumtype::kNone>(reduction)) {
    return -terms.sum(what.dim);
  }
  if (std::holds_alternative<torch::enumtype::kSum>(reduction)) {
    return -sum_in_blocks(terms);
  }
  return sum_in_blocks(terms) / -static_cast<double>(terms.numel() / terms.size(what.dim));
}

/// Throws c10::ValueError unless each integer target on the CPU is in [0, K) or ignored; of targets
/// on another device it would have to wait for an answer, and leaves it to the operators there.
/// @return whether a target may be ignored
inline bool check_targets(const at::Tensor& targets, const LabelSmoothingLossOptions& options) {
  if (!targets.is_cpu()) {
    return true;
  }
  const std::int64_t classes = options.num_classes();
  const std::int64_t ignore_index = options.ignore_index();
  const at::Tensor contiguous = targets.contiguous();
  const auto* target = contiguous.const_data_ptr<std::int64_t>();
  bool any_ignored = false;
  for (std::int64_t i = 0; i < targets.numel(); ++i) {
    const bool ignored = target[i] == ignore_index;
    TORCH_CHECK_VALUE(ignored || (target[i] >= 0 && target[i] < classes),
                      "LabelSmoothingLoss: wanted targets in [0, ", classes, ") or ", ignore_index,
                      ", got ", target[i], " at place ", i);
    any_ignored = any_ignored || ignored;
  }
  return any_ignored;
}

/// Throws c10::ValueError unless the tensors fit each other and the options.
/// @return the classes' dimension, not negative
inline std::int64_t check_shapes(const at::Tensor& logits, const at::Tensor& targets,
                                 const LabelSmoothingLossOptions& options) {
  TORCH_CHECK_VALUE(logits.defined() && logits.is_floating_point() && logits.dim() >= 1,
                    "LabelSmoothingLoss: wanted floating-point logits [N, ", options.num_classes(),
                    "] or [N, ", options.num_classes(), ", ...], got ", describe(logits));
  const std::int64_t rank = logits.dim();
  const std::int64_t given = options.dim();
  TORCH_CHECK_VALUE(rank == 1 || (given >= -rank && given < rank),
                    "LabelSmoothingLoss: wanted logits with a dimension ", given, ", got ",
                    describe(logits));
  const std::int64_t dim = rank == 1 ? 0 : at::maybe_wrap_dim(given, rank);
  TORCH_CHECK_VALUE(logits.size(dim) == options.num_classes(), "LabelSmoothingLoss: wanted logits ",
                    "of ", options.num_classes(), " classes in dimension ", dim, ", got ",
                    describe(logits));
  auto shape = logits.sizes().vec();
  shape.erase(shape.begin() + dim);
  TORCH_CHECK_VALUE(
      targets.defined() && targets.device() == logits.device() &&
          (targets.is_floating_point()
               ? targets.sizes() == logits.sizes()
               : targets.scalar_type() == at::kLong && targets.sizes() == at::IntArrayRef(shape)),
      "LabelSmoothingLoss: wanted targets of type Long (int64) and shape ", at::IntArrayRef(shape),
      ", or floating-point of shape ", logits.sizes(), ", on ", logits.device(), ", got ",
      describe(targets));
  TORCH_CHECK_VALUE(!options.weight().defined() || options.weight().device() == logits.device(),
                    "LabelSmoothingLoss: wanted the weight on ", logits.device(), ", got ",
                    describe(options.weight()));
  return dim;
}

}  // namespace detail

/// Cross entropy against smoothed targets: what LabelSmoothingLoss computes, as a function.
///
/// Formula, parameters, types and errors are LabelSmoothingLoss's.
inline at::Tensor smoothed_cross_entropy(const at::Tensor& logits, const at::Tensor& targets,
                                         const LabelSmoothingLossOptions& options) {
  detail::check_options(options);
  detail::SmoothedCrossEntropy what{.logits = logits, .targets = targets, .weight = {}};
  what.dim = detail::check_shapes(logits, targets, options);
  // An integer type and a floating-point one promote to the latter.
  const auto type = c10::promoteTypes(logits.scalar_type(), targets.scalar_type());
  what.type = c10::promoteTypes(type, c10::kFloat);
  if (options.weight().defined()) {
    what.weight = options.weight().detach().to(what.type);
  }
  const double s = options.smoothing();
  const auto classes = static_cast<double>(options.num_classes());
  if (s != 0) {
    const bool all = options.spread() == Spread::kAllClasses;
    what.floor = all ? s / classes : s / (classes - 1);
    what.scale = all ? 1 - s : 1 - s - what.floor;
  }
  at::Tensor loss;
  if (targets.is_floating_point()) {
    loss = detail::soft_target_loss(what, options.reduction());
  } else {
    what.ignore_index = options.ignore_index();
    what.any_ignored = detail::check_targets(targets, options);
    loss = detail::hard_target_loss(what, options.reduction());
  }
  // Autocast keeps losses in float32, here as in ATen.
  return at::autocast::is_autocast_enabled(logits.device().type()) ? loss : loss.to(type);
}

}  // namespace regtorch
