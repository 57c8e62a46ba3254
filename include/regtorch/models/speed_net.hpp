#pragma once

#include <cmath>
#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/max_pool2d.h>
#include <c10/util/Exception.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include "regtorch/core/check.hpp"
#include "regtorch/layers/batch_norm_gelu.hpp"
#include "regtorch/layers/max_pool2x2.hpp"
#include "regtorch/models/whitening.hpp"

namespace regtorch {

/// What a SpeedNet is made of.
struct SpeedNetOptions {
  /// @param num_classes  at least 1
  SpeedNetOptions(std::int64_t num_classes = 10)  // NOLINT: SpeedNet(10) idiom
      : num_classes_(num_classes) {}

  /// Length of the output, at least 1; default 10.
  TORCH_ARG(std::int64_t, num_classes);
  /// What the logits are multiplied by; default 1/9.
  TORCH_ARG(double, output_scale) = 1.0 / 9;
};

/// The network of Jordan's CIFAR-10 speedrun (airbench94), made to be trained in few epochs:
/// [N,3,32,32] to logits [N,num_classes].
///
///     whiten   conv2x2 3->24, no padding - GELU
///     layers   three groups 24->64, 64->256, 256->256, each
///              conv3x3 - maxpool2 - BN - GELU - conv3x3 - BN - GELU
///     head     maxpool3 - linear 256->num_classes, no bias - times output_scale
///
/// The sides are 31, 15, 7, 3, 1. Batch normalization has eps 1e-12, momentum 0.4 and a weight that
/// stays 1; its bias is trained. The 3x3 convolutions have no bias; of each as many filters as it
/// has inputs begin as the identity (dirac), the others as LibTorch makes them. `whiten` is meant
/// to get its filters from whiten_by() and to keep them. On the CPU it is fastest channels_last:
/// images and, by to_channels_last(), weights.
///
/// With the defaults it has 1,972,792 parameters, of which 288 are the filters of `whiten` and
/// 1,152 the weights of the normalizations.
///
///     rt::SpeedNet model;
///     model->whiten_by(some_normalized_images);
///
/// Source: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv:2404.00498.
class SpeedNetImpl : public torch::nn::Cloneable<SpeedNetImpl> {
 public:
  /// @throws c10::ValueError for an option out of range
  explicit SpeedNetImpl(SpeedNetOptions options = {}) : options_(options) {
    TORCH_CHECK_VALUE(options_.num_classes() >= 1, "SpeedNet: wanted at least 1 class, got ",
                      options_.num_classes());
    TORCH_CHECK_VALUE(std::isfinite(options_.output_scale()),
                      "SpeedNet: wanted a finite output_scale, got ", options_.output_scale());
    reset();
  }

  /// Makes all layers anew, with new weights.
  void reset() override {
    namespace nn = torch::nn;
    constexpr std::int64_t kPatch = 2;
    std::int64_t channels = 2 * 3 * kPatch * kPatch;  // the eigenvectors and their negatives
    whiten = register_module("whiten", nn::Conv2d(nn::Conv2dOptions(3, channels, kPatch)));
    nn::Sequential groups;
    for (const std::int64_t out_channels : {64, 256, 256}) {
      groups->push_back(convolution(channels, out_channels));
      groups->push_back(MaxPool2x2());
      push_norm(groups, out_channels);
      groups->push_back(convolution(out_channels, out_channels));
      push_norm(groups, out_channels);
      channels = out_channels;
    }
    layers = register_module("layers", groups);
    head = register_module(
        "head", nn::Linear(nn::LinearOptions(channels, options_.num_classes()).bias(false)));
  }

  /// Gives `whiten` the filters of whitening_filters(images, 2, eps) and freezes them.
  /// @param images  floating-point [N,3,H,W], normalized as in training; 5,000 are usual
  /// @param eps     as there; default 5e-4
  /// @throws c10::ValueError, with nothing changed, if the images are not of 3 channels
  void whiten_by(const torch::Tensor& images, double eps = 5e-4) {
    TORCH_CHECK_VALUE(images.defined() && images.dim() == 4 && images.size(1) == 3,
                      "SpeedNet: wanted images [N,3,H,W] to whiten by, got ", describe(images));
    const at::NoGradGuard no_grad;
    whiten->weight.copy_(whitening_filters(images, whiten->weight.size(2), eps));
    whiten->weight.set_requires_grad(false);
  }

  /// @param images  floating-point [N,3,32,32]
  /// @return logits [N,num_classes]
  /// @throws c10::ValueError if the images are not [N,3,32,32]
  torch::Tensor forward(const torch::Tensor& images) {
    check_square_images("SpeedNet", images, 32);
    const torch::Tensor x = layers->forward(at::gelu(whiten->forward(images)));
    return head->forward(at::max_pool2d(x, 3).flatten(1)) * options_.output_scale();
  }

  /// As given.
  const SpeedNetOptions& options() const { return options_; }

  /// @{
  /// The layers.
  torch::nn::Conv2d whiten{nullptr};
  torch::nn::Sequential layers{nullptr};
  torch::nn::Linear head{nullptr};
  /// @}

 private:
  static torch::nn::Conv2d convolution(std::int64_t in, std::int64_t out) {
    torch::nn::Conv2d made(torch::nn::Conv2dOptions(in, out, 3).padding(1).bias(false));
    torch::nn::init::dirac_(made->weight.slice(0, 0, in));
    return made;
  }
  static void push_norm(torch::nn::Sequential& to, std::int64_t channels) {
    BatchNormGELU norm(torch::nn::BatchNormOptions(channels).eps(1e-12).momentum(0.4));
    norm->weight.set_requires_grad(false);
    to->push_back(norm);
  }

  SpeedNetOptions options_;
};

TORCH_MODULE(SpeedNet);

}  // namespace regtorch
