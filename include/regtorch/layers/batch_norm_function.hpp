#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/alias.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/kernels/activations.hpp"
#include "regtorch/layers/batch_norm_cpu.hpp"
#include "regtorch/layers/batch_norm_gradients.hpp"

/// What batch normalization modules with an activation behind them have in common.
namespace regtorch::detail {

/// LibTorch's operator for an activation of the kernels.
inline at::Tensor activated(kernels::Gelu, const at::Tensor& u) { return at::gelu(u); }
inline at::Tensor activated(kernels::Relu, const at::Tensor& u) { return at::relu(u); }

/// Activation(batch_norm(x) + shortcut) by a batch's own moments. The first result is the output;
/// mean and variance follow, for the running statistics.
template <class Activation>
class BatchNormFunction : public torch::autograd::Function<BatchNormFunction<Activation>> {
 public:
  /// The shortcut is no undefined tensor, which LibTorch takes for none of its inputs.
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx,
                                                const at::Tensor& x, const at::Tensor& weight,
                                                const at::Tensor& bias,
                                                const std::optional<at::Tensor>& shortcut,
                                                double eps) {
    const BatchNormOfBatch norm = batch_moments(x, weight, bias, eps);
    at::Tensor y = normalized<Activation>(x, shortcut.value_or(at::Tensor()), norm.mean, norm.scale,
                                          norm.shift);
    ctx->save_for_backward({x, weight, bias, norm.mean, norm.inv_std, norm.scale,
                            shortcut.has_value() ? y : at::Tensor()});
    ctx->saved_data["eps"] = eps;
    ctx->mark_non_differentiable({norm.mean, norm.variance});
    ctx->set_materialize_grads(false);
    return {std::move(y), norm.mean, norm.variance};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& incoming) {
    if (!incoming[0].defined()) {
      return torch::autograd::variable_list(kInputs);
    }
    const auto saved = ctx->get_saved_variables();
    if (at::GradMode::is_enabled()) {  // to be differentiated again
      return differentiable(ctx, saved, incoming[0]);
    }
    const at::Tensor& x = saved[0];
    const BatchNormOfBatch norm{saved[3], {}, saved[4], saved[5], saved[2].contiguous()};
    BatchNormGradients gradients = batch_norm_gradients<Activation>(
        x, saved[6], incoming[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast),
        norm, ctx->needs_input_grad(0));
    return {std::move(gradients.input), std::move(gradients.weight), std::move(gradients.bias),
            std::move(gradients.shortcut), at::Tensor()};
  }

 private:
  static constexpr std::size_t kInputs = 5;
  static constexpr std::size_t kShortcut = 3;

  static torch::autograd::variable_list differentiable(torch::autograd::AutogradContext* ctx,
                                                       const torch::autograd::variable_list& saved,
                                                       const at::Tensor& incoming) {
    torch::autograd::variable_list gradients(kInputs);
    const at::Tensor& y = saved[6];
    // With a shortcut the activation is one whose derivative can be read off its output.
    const at::Tensor before = y.defined() ? at::where(y.le(0), 0, incoming) : incoming;
    if (y.defined() && ctx->needs_input_grad(kShortcut)) {
      gradients[kShortcut] = before;
    }
    // Aliases, since x may itself depend on the weight and bias (a layer that is used twice): what
    // flows back through x is for the caller's graph to add, not for this node.
    torch::autograd::variable_list of;
    torch::autograd::variable_list wanted;
    for (std::size_t i = 0; i < kShortcut; ++i) {
      of.push_back(at::alias(saved[i]));
      if (ctx->needs_input_grad(i)) {
        wanted.push_back(of[i]);
      }
    }
    if (wanted.empty()) {
      return gradients;
    }
    const at::Tensor u =
        at::batch_norm(of[0], of[1], of[2], {}, {}, /*training=*/true, /*momentum=*/0,
                       ctx->saved_data["eps"].toDouble(), /*cudnn_enabled=*/false);
    auto made = torch::autograd::grad({y.defined() ? u : activated(Activation(), u)}, wanted,
                                      {before}, /*retain_graph=*/true, /*create_graph=*/true);
    auto next = made.begin();
    for (std::size_t i = 0; i < kShortcut; ++i) {
      if (ctx->needs_input_grad(i)) {
        gradients[i] = std::move(*next++);
      }
    }
    return gradients;
  }
};

/// Whether the kernels can take it: `norm`, a torch::nn::BatchNormImplBase, on these images, with
/// this shortcut or an undefined one. LibTorch asks the options at each call, and so does this.
template <class Norm>
bool fuses(const Norm& norm, const at::Tensor& x, const at::Tensor& shortcut = {}) {
  const auto is_image = [](const at::Tensor& of) {
    return of.defined() && of.dim() == 4 && of.is_cpu() && has_format(of.scalar_type()) &&
           is_plain_memory(of) && of.is_contiguous(at::MemoryFormat::ChannelsLast);
  };
  const auto is_row = [&](const at::Tensor& of) {
    return of.defined() && of.is_cpu() && of.scalar_type() == at::kFloat && of.dim() == 1 &&
           of.size(0) == x.size(1) && is_plain_memory(of) && of.is_contiguous();
  };
  const auto wants_gradient = [](const at::Tensor& of) {
    return of.defined() && of.requires_grad();
  };
  return is_image(x) && x.numel() > x.size(1) && norm.options.momentum().has_value() &&
         norm.options.track_running_stats() && norm.num_batches_tracked.defined() &&
         is_row(norm.weight) && is_row(norm.bias) && is_row(norm.running_mean) &&
         is_row(norm.running_var) &&
         (!shortcut.defined() || (is_image(shortcut) && shortcut.sizes() == x.sizes() &&
                                  shortcut.scalar_type() == x.scalar_type())) &&
         (norm.is_training() || !at::GradMode::is_enabled() ||
          !(wants_gradient(x) || wants_gradient(norm.weight) || wants_gradient(norm.bias) ||
            wants_gradient(shortcut)));
}

/// Activation(norm(x) + shortcut) by the kernels, which it must be for: see `fuses`.
template <class Activation, class Norm>
at::Tensor fused_batch_norm(Norm& norm, const at::Tensor& x, const at::Tensor& shortcut = {}) {
  if (!norm.is_training()) {
    const at::Tensor scale = norm.weight * (norm.running_var + norm.options.eps()).rsqrt();
    return normalized<Activation>(x, shortcut, norm.running_mean, scale, norm.bias);
  }
  const auto made = BatchNormFunction<Activation>::apply(
      x, norm.weight, norm.bias, shortcut.defined() ? std::make_optional(shortcut) : std::nullopt,
      norm.options.eps());
  const at::NoGradGuard no_grad;
  norm.num_batches_tracked += 1;
  const double momentum = norm.options.momentum().value();
  const std::int64_t pixels = x.numel() / x.size(1);
  const auto count = static_cast<double>(pixels);
  norm.running_mean.mul_(1 - momentum).add_(made[1], momentum);
  norm.running_var.mul_(1 - momentum).add_(made[2], momentum * count / (count - 1));
  return made[0];
}

}  // namespace regtorch::detail
