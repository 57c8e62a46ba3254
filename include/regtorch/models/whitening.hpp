#pragma once

#include <cstdint>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_eigh.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"

namespace regtorch {

/// Filters of a first convolution whose outputs are uncorrelated and of equal size on these images:
/// the eigenvectors of the patches' covariance, and their negatives.
///
/// With X the n patches of size x size pixels, as rows of C size^2 numbers,
///
///     X^T X / n = V diag(lambda) V^T,     lambda descending
///     filters   = [V^T / sqrt(lambda + eps); -V^T / sqrt(lambda + eps)]
///
/// (The covariance is not centred: normalize the images first.)
///
/// @param images  floating-point [N,C,H,W]; a few thousand are enough
/// @param size    side of a patch in pixels, from 1 to H and W
/// @param eps     added to the eigenvalues, above 0; default 5e-4
/// @return [2 C size^2, C, size, size], of the images' type, computed in float64
/// @throws c10::ValueError if an argument does not fit
///
/// Source: Page, "How to train your ResNet 8: Bag of tricks", 2019; with the negatives: Jordan,
/// "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv:2404.00498, section 3.2.
inline at::Tensor whitening_filters(const at::Tensor& images, std::int64_t size,
                                    double eps = 5e-4) {
  TORCH_CHECK_VALUE(
      images.defined() && images.is_floating_point() && images.dim() == 4 && images.numel() > 0,
      "whitening_filters: wanted floating-point images [N,C,H,W], got ", describe(images));
  TORCH_CHECK_VALUE(size >= 1 && size <= images.size(2) && size <= images.size(3),
                    "whitening_filters: wanted a size from 1 to the images' sides, got ", size,
                    " for ", describe(images));
  TORCH_CHECK_VALUE(eps > 0, "whitening_filters: wanted an eps above 0, got ", eps);
  const at::NoGradGuard no_grad;
  const std::int64_t channels = images.size(1);
  // [N,C,rows,columns,size,size], then a patch a row.
  const at::Tensor patches = images.to(at::kDouble)
                                 .unfold(2, size, 1)
                                 .unfold(3, size, 1)
                                 .permute({0, 2, 3, 1, 4, 5})
                                 .reshape({-1, channels * size * size});
  const at::Tensor covariance = patches.t().matmul(patches) / static_cast<double>(patches.size(0));
  const auto [values, vectors] = at::linalg_eigh(covariance);  // ascending, a vector a column
  const at::Tensor filters =
      (vectors / (values + eps).sqrt()).t().flip(0).reshape({-1, channels, size, size});
  return at::cat({filters, -filters}).to(images.scalar_type());
}

}  // namespace regtorch
