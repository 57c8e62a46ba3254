#pragma once

#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/alias.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/gelu.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/pimpl.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/layers/batch_norm_gelu_cpu.hpp"

namespace regtorch {

namespace detail {

/// gelu(batch_norm(x)) by a batch's own moments. The first result is the output; mean and variance
/// follow, for the running statistics.
class BatchNormGeluFunction : public torch::autograd::Function<BatchNormGeluFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx,
                                                const at::Tensor& x, const at::Tensor& weight,
                                                const at::Tensor& bias, double eps) {
    const BatchNormOfBatch norm = batch_moments(x, weight, bias, eps);
    ctx->save_for_backward({x, weight, bias, norm.mean, norm.inv_std, norm.scale});
    ctx->saved_data["eps"] = eps;
    ctx->mark_non_differentiable({norm.mean, norm.variance});
    ctx->set_materialize_grads(false);
    return {normalized_gelu(x, norm.channels()), norm.mean, norm.variance};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& incoming) {
    if (!incoming[0].defined()) {
      return {at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
    const auto saved = ctx->get_saved_variables();
    if (at::GradMode::is_enabled()) {  // to be differentiated again
      return differentiable(ctx, saved, incoming[0]);
    }
    const at::Tensor& x = saved[0];
    const BatchNormOfBatch norm{saved[3], {}, saved[4], saved[5], saved[2].contiguous()};
    BatchNormGradients gradients = batch_norm_gelu_gradients(
        x, incoming[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast), norm,
        ctx->needs_input_grad(0));
    return {std::move(gradients.input), std::move(gradients.weight), std::move(gradients.bias),
            at::Tensor()};
  }

 private:
  static torch::autograd::variable_list differentiable(torch::autograd::AutogradContext* ctx,
                                                       const torch::autograd::variable_list& saved,
                                                       const at::Tensor& incoming) {
    const double eps = ctx->saved_data["eps"].toDouble();
    // Aliases, since x may itself depend on the weight and bias (a layer that is used twice): what
    // flows back through x is for the caller's graph to add, not for this node.
    const torch::autograd::variable_list of{at::alias(saved[0]), at::alias(saved[1]),
                                            at::alias(saved[2])};
    const at::Tensor y = at::gelu(at::batch_norm(of[0], of[1], of[2], {}, {}, /*training=*/true,
                                                 /*momentum=*/0, eps, /*cudnn_enabled=*/false));
    torch::autograd::variable_list inputs;
    for (std::size_t i = 0; i < 3; ++i) {
      if (ctx->needs_input_grad(i)) {
        inputs.push_back(of[i]);
      }
    }
    auto made = torch::autograd::grad({y}, inputs, {incoming}, /*retain_graph=*/true,
                                      /*create_graph=*/true);
    torch::autograd::variable_list gradients(4);
    auto next = made.begin();
    for (std::size_t i = 0; i < 3; ++i) {
      if (ctx->needs_input_grad(i)) {
        gradients[i] = std::move(*next++);
      }
    }
    return gradients;
  }
};

}  // namespace detail

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
    if (!is_fused(x)) {
      return at::gelu(BatchNormImplBase::forward(x));
    }
    if (!is_training()) {
      const at::Tensor scale = weight * (running_var + options.eps()).rsqrt();
      return detail::normalized_gelu(
          x, {running_mean.const_data_ptr<float>(), scale.const_data_ptr<float>(),
              bias.const_data_ptr<float>()});
    }
    const auto made = detail::BatchNormGeluFunction::apply(x, weight, bias, options.eps());
    const at::NoGradGuard no_grad;
    num_batches_tracked += 1;
    const double momentum = options.momentum().value();
    const auto rows = static_cast<double>(x.numel() / x.size(1));
    running_mean.mul_(1 - momentum).add_(made[1], momentum);
    running_var.mul_(1 - momentum).add_(made[2], momentum * rows / (rows - 1));
    return made[0];
  }

 protected:
  /// What BatchNormImplBase::forward calls.
  void _check_input_dim(const torch::Tensor& input) override {
    TORCH_CHECK_VALUE(input.defined() && input.dim() == 4,
                      "BatchNormGELU: wanted images [N,C,H,W], got ", describe(input));
  }

 private:
  /// Whether the kernels can take it.
  bool is_fused(const at::Tensor& x) const {
    const auto is_row = [&](const at::Tensor& of_channels) {
      return of_channels.defined() && of_channels.is_cpu() &&
             of_channels.scalar_type() == at::kFloat && of_channels.dim() == 1 &&
             of_channels.size(0) == x.size(1) && detail::is_plain_memory(of_channels) &&
             of_channels.is_contiguous();
    };
    return x.defined() && x.dim() == 4 && x.is_cpu() && detail::has_format(x.scalar_type()) &&
           detail::is_plain_memory(x) && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
           x.numel() > x.size(1) && options.momentum().has_value() &&
           options.track_running_stats() && num_batches_tracked.defined() && is_row(weight) &&
           is_row(bias) && is_row(running_mean) && is_row(running_var) &&
           (is_training() || !at::GradMode::is_enabled() ||
            !(x.requires_grad() || weight.requires_grad() || bias.requires_grad()));
  }
};

TORCH_MODULE(BatchNormGELU);

}  // namespace regtorch
