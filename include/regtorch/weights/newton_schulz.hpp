#pragma once

#include <cstdint>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/matmul.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"

namespace regtorch {

/// The matrix U V^T of a matrix G = U S V^T, roughly: all singular values brought near 1 by a few
/// steps of a quintic Newton-Schulz iteration, which is made of matrix products alone.
///
///     X <- G / max(||G||_F, eps),   transposed while it has more rows than columns
///     X <- 3.4445 X + (-4.7750 A + 2.0315 A^2) X   with A = X X^T,   `steps` times
///
/// The coefficients are chosen for the steepest rise at 0: after 5 steps all singular values that
/// were above 0.002 of the norm lie in [0.68, 1.21], and do not come closer to 1.
///
/// @param matrix  floating-point [rows, columns]
/// @param steps   at least 0; default 5
/// @param eps     at least 0; default 1e-7
/// @param dtype   of the arithmetic and the result; default bfloat16, for which it was made
/// @throws c10::ValueError if the matrix is none, or steps or eps is negative
///
/// Source: Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein, "Muon: an optimizer for hidden
/// layers in neural networks", 2024.
inline at::Tensor newton_schulz(const at::Tensor& matrix, std::int64_t steps = 5, double eps = 1e-7,
                                at::ScalarType dtype = at::kBFloat16) {
  TORCH_CHECK_VALUE(matrix.defined() && matrix.is_floating_point() && matrix.dim() == 2,
                    "newton_schulz: wanted a floating-point matrix, got ", describe(matrix));
  TORCH_CHECK_VALUE(steps >= 0 && eps >= 0, "newton_schulz: wanted steps and eps of at least 0, ",
                    "got ", steps, " and ", eps);
  const bool tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = matrix.to(dtype);
  x = tall ? x.t() : x;
  x = x / x.norm().clamp_min(eps);
  for (std::int64_t step = 0; step < steps; ++step) {
    const at::Tensor a = x.matmul(x.t());
    const at::Tensor b = at::addmm(a, a, a, /*beta=*/-4.7750, /*alpha=*/2.0315);
    x = at::addmm(x, b, x, /*beta=*/3.4445);
  }
  return tall ? x.t() : x;
}

}  // namespace regtorch
