#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"
#include "regtorch/weights/parameters.hpp"

namespace regtorch {

/// Scales each filter down to an L2 norm of at most `max_norm`, in place; to be called after each
/// step of the optimizer:
///
///     w_k <- w_k * max_norm / (||w_k|| + 1e-7)  where  ||w_k|| > max_norm
///
/// w_k is slice k of a weight along its first dimension: what enters output k of a linear or
/// convolutional layer, row k of an embedding. (The first dimension of a transposed convolution is
/// its input.) A filter within the limit keeps its bits. Norms are computed in float32 or, of a
/// float64 weight, in that. It is torch.renorm(w, 2, 0, max_norm).
///
/// @param parameters  see parameters.hpp; of two or more dimensions, floating-point
/// @param max_norm    above 0; 3 and 4 are common
/// @throws c10::ValueError for another max_norm or a parameter of fewer dimensions, and where
///         Parameters does; all weights as they were
///
/// Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to
/// prevent neural networks from overfitting", JMLR 2014, section 5.1.
inline void max_norm_(const Parameters& parameters, double max_norm) {
  TORCH_CHECK_VALUE(max_norm > 0, "max_norm_: wanted a max_norm above 0, got ", max_norm);
  for (const auto& parameter : parameters.tensors()) {
    TORCH_CHECK_VALUE(parameter.dim() >= 2,
                      "max_norm_: wanted parameters of two or more dimensions, got ",
                      describe(parameter));
  }
  const at::NoGradGuard no_grad;
  for (auto parameter : parameters.tensors()) {
    parameter.renorm_(2, 0, max_norm);
  }
}

}  // namespace regtorch
