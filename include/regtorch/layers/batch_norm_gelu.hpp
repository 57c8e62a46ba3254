#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/gelu.h>
#include <c10/util/Exception.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/pimpl.h>

#include "regtorch/core/check.hpp"
#include "regtorch/kernels/activations.hpp"
#include "regtorch/layers/batch_norm_function.hpp"

namespace regtorch {

/// Batch normalization over images, then GELU, the two as one layer:
///
///     u = (x - mean_c) / sqrt(variance_c + eps) * weight_c + bias_c
///     y = u P(X <= u) with X ~ N(0, 1)
///
/// It stands where torch::nn::BatchNorm2d and torch::nn::GELU do, has the former's options,
/// parameters, buffers and names, and gives what they give, rounded once where they round twice.
///
///     rt::BatchNormGELU norm(torch::nn::BatchNormOptions(64).momentum(0.4));
///
/// On the CPU, images that are channels_last, float32, bfloat16 or float16, take a fused pass over
/// memory: forward in training they are read twice and written once, backward read twice with
/// their gradient, and only the input is kept. The arithmetic is float32, GELU within 2^-20 of
/// itself plus 2^-21 |u|. What else comes takes LibTorch's two operators.
///
/// forward(x): x is [N,C,H,W]; the result is shaped and typed like it.
/// @throws c10::Error, from LibTorch, as torch::nn::BatchNorm2d
///
/// Source: Ioffe, Szegedy, "Batch normalization: accelerating deep network training by reducing
/// internal covariate shift", ICML 2015; Hendrycks, Gimpel, "Gaussian error linear units (GELUs)",
/// 2016, arXiv:1606.08415.
class BatchNormGELUImpl : public torch::nn::BatchNormImplBase<2, BatchNormGELUImpl> {
 public:
  using BatchNormImplBase::BatchNormImplBase;

  /// @param x  [N,C,H,W]
  /// @return the activations, like x
  torch::Tensor forward(const torch::Tensor& x) {
    return detail::fuses(*this, x) ? detail::fused_batch_norm<kernels::Gelu>(*this, x)
                                   : at::gelu(BatchNormImplBase::forward(x));
  }

 protected:
  /// What BatchNormImplBase::forward calls.
  void _check_input_dim(const torch::Tensor& input) override {
    TORCH_CHECK_VALUE(input.defined() && input.dim() == 4,
                      "BatchNormGELU: wanted images [N,C,H,W], got ", describe(input));
  }
};

TORCH_MODULE(BatchNormGELU);

}  // namespace regtorch
