#pragma once

#include <cstdint>
#include <utility>

#include <ATen/WrapDimUtils.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <c10/util/SmallVector.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/smoothed_cross_entropy.hpp"
#include "regtorch/losses/label_smoothing_options.hpp"
#include "regtorch/losses/smoothed_cross_entropy_aten.hpp"
#include "regtorch/losses/smoothed_cross_entropy_cpu.hpp"
#include "regtorch/losses/smoothed_cross_entropy_device.hpp"
#include "regtorch/losses/smoothed_cross_entropy_function.hpp"
#include "regtorch/losses/smoothed_cross_entropy_kernel.hpp"

namespace regtorch {

namespace detail {

/// Counts the integer targets on the CPU, contiguous, and throws c10::ValueError unless each is in
/// [0, K) or ignored.
///
/// @param weight  float32 [K], contiguous, or undefined
inline kernels::TargetCount check_targets(const at::Tensor& targets, const at::Tensor& weight,
                                          const LabelSmoothingLossOptions& options) {
  constexpr std::int64_t kBlock = 32768;  // about 15 us
  kernels::SmoothedTargets rule;
  rule.classes = options.num_classes();
  rule.ignore_index = options.ignore_index();
  rule.weight = weight.defined() ? weight.const_data_ptr<float>() : nullptr;
  const auto* target = targets.const_data_ptr<std::int64_t>();
  const kernels::Isa isa = kernels::active_isa();
  const std::int64_t size = targets.numel();
  c10::SmallVector<kernels::TargetCount, 4> counts(
      static_cast<std::size_t>((size + kBlock - 1) / kBlock));
  parallel_for(size, kBlock, [&](std::int64_t begin, std::int64_t end) {
    counts[static_cast<std::size_t>(begin / kBlock)] =
        kernels::count_targets(rule, target, begin, end, isa);
  });
  kernels::TargetCount all;
  for (const kernels::TargetCount& count : counts) {
    TORCH_CHECK_VALUE(count.bad < 0, "LabelSmoothingLoss: wanted targets in [0, ",
                      options.num_classes(), ") or ", options.ignore_index(), ", got ",
                      target[count.bad], " at place ", count.bad);
    all.kept += count.kept;
    all.weight += count.weight;
  }
  return all;
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
    what.weight = options.weight().detach().to(what.type).contiguous();
  }
  const double s = options.smoothing();
  const auto classes = static_cast<double>(options.num_classes());
  if (s != 0) {
    const bool all = options.spread() == Spread::kAllClasses;
    what.floor = all ? s / classes : s / (classes - 1);
    what.scale = all ? 1 - s : 1 - s - what.floor;
  }
  // Autocast keeps losses in float32, here as in ATen.
  const bool keep_wide = at::autocast::is_autocast_enabled(logits.device().type());
  if (targets.is_floating_point()) {
    const at::Tensor loss = detail::soft_target_loss(what, options.reduction());
    return keep_wide ? loss : loss.to(type);
  }
  const c10::ScalarType returns = keep_wide ? c10::kFloat : type;
  what.ignore_index = options.ignore_index();
  // Of targets on another device the operators there find out.
  what.any_ignored = true;
  if (targets.is_cpu()) {
    what.targets = targets.contiguous();
    const bool by_kernel = detail::kernel_computes(what);
    const auto count =
        detail::check_targets(what.targets, by_kernel ? what.weight : at::Tensor(), options);
    what.any_ignored = count.kept < targets.numel();
    if (by_kernel) {
      what.logits = logits.contiguous();
      return detail::cpu_loss({{std::move(what), options.reduction(), returns}, count.weight});
    }
  } else if (logits.is_cuda() && detail::kernel_computes(what) &&
             kernels::device_kernels().smoothed_cross_entropy_forward != nullptr) {
    what.logits = logits.contiguous();
    what.targets = targets.contiguous();
    return detail::device_loss({std::move(what), options.reduction(), returns});
  }
  const at::Tensor loss = detail::hard_target_loss(what, options.reduction());
  return keep_wide ? loss : loss.to(type);
}

}  // namespace regtorch
