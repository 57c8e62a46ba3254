#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include "regtorch/core/check.hpp"
#include "regtorch/layers/max_pool2x2.hpp"
#include "regtorch/models/convolution.hpp"

namespace regtorch {

/// What AlexNet is made of.
struct AlexNetOptions {
  /// @param num_classes  at least 1
  AlexNetOptions(std::int64_t num_classes = 10)  // NOLINT: AlexNet(10) idiom
      : num_classes_(num_classes) {}

  /// Length of the output, at least 1; default 10.
  TORCH_ARG(std::int64_t, num_classes);
  /// Rate of the dropouts before the two hidden linear layers, in [0, 1); default 0.5.
  TORCH_ARG(double, dropout) = 0.5;
  /// Batch normalization behind each convolution; default false, as in the paper.
  TORCH_ARG(bool, batch_norm) = false;
};

/// AlexNet for 32x32 images: [N,3,32,32] to logits [N,num_classes].
///
///     features    conv3x3 3->64, stride 2 - ReLU - maxpool2              8x8
///                 conv3x3 64->192 - ReLU - maxpool2                      4x4
///                 conv3x3 192->384 - ReLU - conv3x3 384->256 - ReLU - conv3x3 256->256 - ReLU
///                 maxpool2                                               2x2
///     classifier  dropout - linear 1024->1024 - ReLU - dropout - linear 1024->1024 - ReLU
///                 linear 1024->num_classes
///
/// The channels are torchvision's. Its strides and its 11x11 kernels are for 224x224 images, and
/// its 4,096 hidden units for 9,216 features; here there are 1,024 features and so 1,024 units.
/// Convolutions have a bias, of 0 at first, and weights by He's initialisation; with BN, no bias.
///
/// With the defaults it has 4,361,034 parameters.
///
/// Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
/// networks", NIPS 2012.
class AlexNetImpl : public torch::nn::Cloneable<AlexNetImpl> {
 public:
  /// @throws c10::ValueError for an option out of range
  explicit AlexNetImpl(AlexNetOptions options = {}) : options_(options) {
    detail::check_classifier("AlexNet", options_.num_classes(), options_.dropout());
    reset();
  }

  /// Makes all layers anew, with new weights.
  void reset() override {
    namespace nn = torch::nn;
    struct Layer {
      std::int64_t channels;
      std::int64_t stride;
      bool pool;
    };
    nn::Sequential convolutions;
    std::int64_t channels = 3;
    for (const Layer& layer :
         {Layer{64, 2, true}, {192, 1, true}, {384, 1, false}, {256, 1, false}, {256, 1, true}}) {
      detail::push_convolution(
          convolutions,
          nn::Conv2dOptions(channels, layer.channels, 3).stride(layer.stride).padding(1),
          options_.batch_norm());
      convolutions->push_back(nn::ReLU(nn::ReLUOptions(/*inplace=*/true)));
      if (layer.pool) {
        convolutions->push_back(MaxPool2x2());
      }
      channels = layer.channels;
    }
    features = register_module("features", convolutions);
    constexpr std::int64_t kHidden = 1024;
    classifier = register_module(
        "classifier",
        nn::Sequential(nn::Dropout(options_.dropout()), nn::Linear(channels * 2 * 2, kHidden),
                       nn::ReLU(nn::ReLUOptions(/*inplace=*/true)), nn::Dropout(options_.dropout()),
                       nn::Linear(kHidden, kHidden), nn::ReLU(nn::ReLUOptions(/*inplace=*/true)),
                       nn::Linear(kHidden, options_.num_classes())));
  }

  /// @param images  floating-point [N,3,32,32]
  /// @return logits [N,num_classes]
  /// @throws c10::ValueError if the images are not [N,3,32,32]
  torch::Tensor forward(const torch::Tensor& images) {
    check_square_images("AlexNet", images, 32);
    return classifier->forward(detail::forward_fused(features, images).flatten(1));
  }

  /// As given.
  const AlexNetOptions& options() const { return options_; }

  /// @{
  /// The layers, by the names that they have in Python.
  torch::nn::Sequential features{nullptr};
  torch::nn::Sequential classifier{nullptr};
  /// @}

 private:
  AlexNetOptions options_;
};

TORCH_MODULE(AlexNet);

}  // namespace regtorch
