#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/mixing.hpp"

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

/// Whether a kernel may mix these images: their samples lie in memory one after the other, and no
/// gradient is wanted (with one, or on another device, ATen mixes them).
inline bool are_plain_samples(const at::Tensor& images) {
  return images.is_cpu() && images.layout() == at::kStrided && images.numel() > 0 &&
         images.is_contiguous(images.suggest_memory_format()) &&
         !(at::GradMode::is_enabled() && images.requires_grad());
}

/// lambda * onehot(label) + (1 - lambda) * onehot(label of the sample before), in float32.
/// Throws c10::ValueError for a label out of range (on CUDA a device-side assert); `who` begins
/// the message.
inline at::Tensor mixed_targets(const char* who, const at::Tensor& labels, std::int64_t num_classes,
                                double lambda) {
  if (!labels.is_cpu()) {
    at::Tensor targets =
        at::zeros({labels.size(0), num_classes}, labels.options().dtype(at::kFloat));
    targets.scatter_(1, labels.unsqueeze(1), 1.0);  // checks the range without waiting
    return at::lerp(at::roll(targets, 1, 0), targets, lambda);
  }
  const at::Tensor classes = labels.contiguous();
  const std::int64_t batch = labels.size(0);
  at::Tensor targets = at::empty({batch, num_classes}, labels.options().dtype(at::kFloat));
  const auto* from = classes.const_data_ptr<std::int64_t>();
  float* to = targets.data_ptr<float>();
  const kernels::Blend blend(lambda);
  constexpr std::int64_t kNumbersInBlock = 1 << 16;
  const std::int64_t block = std::max<std::int64_t>(kNumbersInBlock / num_classes, 1);
  parallel_for(batch, block, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t bad =
        kernels::blend_targets(from, to, batch, num_classes, blend, begin, end);
    TORCH_CHECK_VALUE(bad < 0, who, ": wanted labels in [0, ", num_classes, "), got ", from[bad],
                      " at ", bad);
  });
  return targets;
}

}  // namespace detail

}  // namespace regtorch::transforms
