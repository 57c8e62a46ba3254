#pragma once

#include <cstdint>
#include <variant>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <torch/arg.h>
#include <torch/enum.h>

#include "regtorch/core/check.hpp"

namespace regtorch {

/// Which classes share what label smoothing takes from the target.
enum class Spread {
  kOtherClasses,  ///< the K - 1 others: the target keeps 1 - s, each other class gets s / (K - 1)
  kAllClasses,    ///< all K, as in torch.nn.CrossEntropyLoss: 1 - s + s / K and s / K
};

/// Of LabelSmoothingLoss and smoothed_cross_entropy.
struct LabelSmoothingLossOptions {
  /// LibTorch's names: torch::kNone, torch::kMean, torch::kSum.
  using reduction_t =
      std::variant<torch::enumtype::kNone, torch::enumtype::kMean, torch::enumtype::kSum>;

  /// The option that has no default.
  explicit LabelSmoothingLossOptions(std::int64_t num_classes) : num_classes_(num_classes) {}

  /// K, at least 1.
  TORCH_ARG(std::int64_t, num_classes);
  /// s, in [0, 1]; default 0.1. Must be 0 for one class and Spread::kOtherClasses: there is no
  /// other class.
  TORCH_ARG(double, smoothing) = 0.1;
  /// Default: Spread::kOtherClasses.
  TORCH_ARG(Spread, spread) = Spread::kOtherClasses;
  /// An integer target of this value stands for "no label": its loss is 0 and it does not count in
  /// the mean; default -100. Without effect on targets that are probabilities.
  TORCH_ARG(std::int64_t, ignore_index) = -100;
  /// Floating-point [K], the factor of each class's term, through which no gradient flows; default
  /// none.
  TORCH_ARG(at::Tensor, weight);
  /// torch::kMean (the default), torch::kSum, or torch::kNone: one loss a sample.
  TORCH_ARG(reduction_t, reduction) = torch::kMean;
  /// Which dimension of the logits is the classes'; negative: counted from the end; default 1.
  TORCH_ARG(std::int64_t, dim) = 1;
};

namespace detail {

/// Throws c10::ValueError unless the options are as LabelSmoothingLossOptions says.
inline void check_options(const LabelSmoothingLossOptions& options) {
  const std::int64_t classes = options.num_classes();
  const double smoothing = options.smoothing();
  TORCH_CHECK_VALUE(classes >= 1, "LabelSmoothingLoss: wanted at least 1 class, got ", classes);
  TORCH_CHECK_VALUE(smoothing >= 0 && smoothing <= 1,
                    "LabelSmoothingLoss: wanted smoothing in [0, 1], got ", smoothing);
  TORCH_CHECK_VALUE(classes > 1 || options.spread() == Spread::kAllClasses || smoothing == 0,
                    "LabelSmoothingLoss: wanted smoothing 0 or Spread::kAllClasses, as 1 class has "
                    "no others, got smoothing ",
                    smoothing);
  const at::Tensor& weight = options.weight();
  TORCH_CHECK_VALUE(!weight.defined() || (weight.is_floating_point() && weight.dim() == 1 &&
                                          weight.size(0) == classes),
                    "LabelSmoothingLoss: wanted a floating-point weight of shape [", classes,
                    "], got ", describe(weight));
}

}  // namespace detail

}  // namespace regtorch
