#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/batchnorm.h>

#include "regtorch/kernels/activations.hpp"
#include "regtorch/layers/batch_norm_function.hpp"

namespace regtorch {

/// Batch normalization over images, then ReLU, in fewer passes over memory; between them a residual
/// block's shortcut may be added:
///
///     u = (x - mean_c) / sqrt(variance_c + eps) * weight_c + bias_c
///     y = max(u, 0),     or max(u + shortcut, 0)
///
/// It is a function, as the module is a torch::nn::BatchNorm2d like any other, with its options,
/// its names in a state dict and its running statistics, which follow as they do otherwise:
///
///     torch::nn::BatchNorm2d norm(64);
///     torch::Tensor y = rt::batch_norm_relu(*norm, x);
///
/// On the CPU, images that are channels_last, float32, bfloat16 or float16, take fused passes:
/// forward in training they are read twice and the output written once, backward they are read
/// twice with its gradient, and nothing but them is kept. With a shortcut, which is read once, the
/// output is kept too. The arithmetic is float32, the result rounded once: as by LibTorch's
/// operators, which with a shortcut round twice. What else comes takes them.
///
/// @param norm      in training or in evaluation
/// @param images    x, [N,C,H,W]
/// @param shortcut  like x; undefined, the default: none
/// @return y, like x
/// @throws c10::Error, from LibTorch, as torch::nn::BatchNorm2d, and for a shortcut that cannot be
///         added
///
/// Source: Ioffe, Szegedy, "Batch normalization: accelerating deep network training by reducing
/// internal covariate shift", ICML 2015; the shortcut: He, Zhang, Ren, Sun, "Deep residual learning
/// for image recognition", CVPR 2016.
inline torch::Tensor batch_norm_relu(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& images,
                                     const torch::Tensor& shortcut = {}) {
  if (detail::fuses(norm, images, shortcut)) {
    return detail::fused_batch_norm<kernels::Relu>(norm, images, shortcut);
  }
  torch::Tensor u = norm.forward(images);
  return (shortcut.defined() ? u.add_(shortcut) : u).relu_();
}

}  // namespace regtorch
