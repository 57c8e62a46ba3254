#pragma once

#include <algorithm>
#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/SmallVector.h>

#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/smoothed_cross_entropy.hpp"
#include "regtorch/losses/smoothed_cross_entropy_aten.hpp"
#include "regtorch/losses/smoothed_cross_entropy_kernel.hpp"

namespace regtorch::detail {

/// One loss to be computed by the CPU's kernel.
struct CpuLoss : KernelLoss {
  double divisor = 1;  ///< of the mean
};

/// For float32 arithmetic.
inline kernels::SmoothedTargets kernel_rule(const SmoothedCrossEntropy& what) {
  kernels::SmoothedTargets rule;
  rule.classes = what.logits.size(what.dim);
  rule.scale = static_cast<float>(what.scale);
  rule.floor = static_cast<float>(what.floor);
  rule.ignore_index = what.ignore_index;
  double sum = static_cast<double>(rule.classes);
  if (what.weight.defined()) {
    rule.weight = what.weight.const_data_ptr<float>();
    sum = 0;
    for (std::int64_t c = 0; c < rule.classes; ++c) {
      sum += static_cast<double>(rule.weight[c]);
    }
  }
  rule.weight_sum = static_cast<float>(sum);
  return rule;
}

/// The sum of all rows' losses.
///
/// @param gradient  of the logits, like them, or undefined
/// @param losses    float32, one a row, or undefined
/// @param factor    of the gradient: float32, of one element or one a row; undefined: 1
inline double run_kernel(const CpuLoss& loss, const at::Tensor& gradient, const at::Tensor& losses,
                         const at::Tensor& factor) {
  const kernels::SmoothedTargets rule = kernel_rule(loss.what);
  const std::int64_t rows = loss.what.targets.numel();
  const kernels::Isa isa = kernels::active_isa();
  // About 20 us of work a block, and whole groups of lanes.
  constexpr std::int64_t kElements = 16384;
  const std::int64_t lanes = rule.classes > kernels::kMostLaneClasses ? 1 : kernels::kLossLanes;
  const std::int64_t block = std::max<std::int64_t>(1, kElements / rule.classes / lanes) * lanes;
  c10::SmallVector<double, 16> sums(static_cast<std::size_t>((rows + block - 1) / block));
  dispatch_format(loss.what.logits.scalar_type(), [&](auto format) {
    using Format = decltype(format);
    using Stored = typename Format::Stored;
    kernels::LossRows<Format> all;
    all.logits = static_cast<const Stored*>(loss.what.logits.const_data_ptr());
    all.targets = loss.what.targets.const_data_ptr<std::int64_t>();
    if (gradient.defined()) {
      all.gradient = static_cast<Stored*>(gradient.mutable_data_ptr());
    }
    if (losses.defined()) {
      all.losses = losses.mutable_data_ptr<float>();
    }
    if (factor.defined() && loss.each()) {
      all.factors = factor.const_data_ptr<float>();
    } else {
      const float given = factor.defined() ? *factor.const_data_ptr<float>() : 1.0f;
      all.factor = loss.mean() ? static_cast<float>(given / loss.divisor) : given;
    }
    parallel_for(rows, block, [&](std::int64_t begin, std::int64_t end) {
      sums[static_cast<std::size_t>(begin / block)] =
          kernels::smoothed_cross_entropy_rows(rule, all, begin, end, isa);
    });
  });
  double total = 0;
  for (const double sum : sums) {
    total += sum;
  }
  return total;
}

/// The loss, and in the same pass its gradient, if that is defined.
inline at::Tensor kernel_loss(const CpuLoss& loss, const at::Tensor& gradient) {
  if (loss.each()) {
    const at::Tensor losses = at::empty(loss.what.targets.sizes(), at::kFloat);
    run_kernel(loss, gradient, losses, {});
    return losses.to(loss.returns);
  }
  const double sum = run_kernel(loss, gradient, {}, {});
  const auto value = static_cast<float>(loss.mean() ? sum / loss.divisor : sum);
  at::Tensor result = at::empty({}, loss.returns);
  if (loss.returns == at::kFloat) {
    *result.mutable_data_ptr<float>() = value;
  } else if (loss.returns == at::kBFloat16) {
    *result.mutable_data_ptr<at::BFloat16>() = value;
  } else {
    *result.mutable_data_ptr<at::Half>() = value;
  }
  return result;
}

}  // namespace regtorch::detail
