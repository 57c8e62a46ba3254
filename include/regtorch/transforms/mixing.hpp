#pragma once

#include <cmath>
#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"

namespace regtorch::transforms {

/// A batch in which each sample is a mixture of two.
struct Mixed {
  at::Tensor images;   ///< of the type and shape that came
  at::Tensor targets;  ///< float32 [B,num_classes]: the probability of each class
};

namespace detail {

/// Throws c10::ValueError unless there are classes, and alpha is a parameter of a Beta distribution
/// (below 1e-6 float64 has no numbers for it).
inline void check_mixing(const char* who, std::int64_t num_classes, double alpha) {
  TORCH_CHECK_VALUE(num_classes >= 1, who, ": wanted at least 1 class, got ", num_classes);
  TORCH_CHECK_VALUE(alpha >= 1e-6 && std::isfinite(alpha), who,
                    ": wanted a finite alpha of at least 1e-6, got ", alpha);
}

/// Throws c10::ValueError unless `images` is floating-point [B,...] of at least `least_dims`
/// dimensions, and `labels` int64 [B] on the same device.
inline void check_mixable(const char* who, const at::Tensor& images, const at::Tensor& labels,
                          std::int64_t least_dims) {
  TORCH_CHECK_VALUE(images.defined() && images.is_floating_point() && images.dim() >= least_dims,
                    who, ": wanted floating-point images of at least ", least_dims,
                    " dimensions, the first of them the samples', got ", describe(images));
  TORCH_CHECK_VALUE(labels.defined() && labels.scalar_type() == at::kLong && labels.dim() == 1 &&
                        labels.size(0) == images.size(0) && labels.device() == images.device(),
                    who, ": wanted labels of type Long (int64) and shape [", images.size(0),
                    "] on ", images.device(), ", got ", describe(labels));
}

/// lambda * onehot(label) + (1 - lambda) * onehot(label of the sample before), in float32.
inline at::Tensor mixed_targets(const at::Tensor& labels, std::int64_t num_classes, double lambda) {
  at::Tensor targets = at::zeros({labels.size(0), num_classes}, labels.options().dtype(at::kFloat));
  // scatter checks the range, on CUDA without waiting.
  targets.scatter_(1, labels.unsqueeze(1), 1.0);
  return at::lerp(at::roll(targets, 1, 0), targets, lambda);
}

}  // namespace detail

}  // namespace regtorch::transforms
