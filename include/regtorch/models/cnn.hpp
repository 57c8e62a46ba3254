#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>
#include <torch/nn/pimpl.h>

#include "regtorch/core/check.hpp"
#include "regtorch/models/convolution.hpp"

namespace regtorch {

/// What the small CNN is made of.
struct CNNOptions {
  /// @param num_classes  at least 1
  CNNOptions(std::int64_t num_classes = 10)  // NOLINT: CNN(10) idiom
      : num_classes_(num_classes) {}

  /// Length of the output, at least 1; default 10.
  TORCH_ARG(std::int64_t, num_classes);
  /// Rate of the dropout behind the first linear layer, in [0, 1); default 0.5.
  TORCH_ARG(double, dropout) = 0.5;
  /// Batch normalization behind each convolution; default true.
  TORCH_ARG(bool, batch_norm) = true;
  /// Height and width of the images in pixels, at least 16; default 32.
  TORCH_ARG(std::int64_t, image_size) = 32;
};

/// The small convolutional network of the PyTorch study text: [N,3,S,S] to logits
/// [N,num_classes].
///
///     features    conv5x5 3->6 - BN - ReLU - maxpool2 - conv5x5 6->16 - BN - ReLU - maxpool2
///     classifier  linear 16*F*F->120 - ReLU - dropout - linear 120->64 - ReLU - linear
///     64->num_classes
///
/// F, the side of the features, follows from the image size: ((S - 4) / 2 - 4) / 2, rounded down at
/// each division. For 32x32 images the first linear layer has 16 * 5 * 5 = 400 inputs; the 512 that
/// the study text writes fits no square image. Convolutions before BN have no bias, since BN brings
/// one; without BN they have one, of 0 at first, and weights by He's initialisation.
///
/// With the defaults it has 59,408 parameters.
class CNNImpl : public torch::nn::Cloneable<CNNImpl> {
 public:
  /// @throws c10::ValueError for an option out of range
  explicit CNNImpl(CNNOptions options = {}) : options_(options) {
    detail::check_classifier("CNN", options_.num_classes(), options_.dropout());
    TORCH_CHECK_VALUE(options_.image_size() >= 16,
                      "CNN: wanted images of at least 16x16, got size ", options_.image_size());
    reset();
  }

  /// Makes all layers anew, with new weights.
  void reset() override {
    namespace nn = torch::nn;
    nn::Sequential convolutions;
    std::int64_t side = options_.image_size();
    std::int64_t channels = 3;
    for (const std::int64_t out_channels : {6, 16}) {
      detail::push_convolution(convolutions, nn::Conv2dOptions(channels, out_channels, 5),
                               options_.batch_norm());
      convolutions->push_back(nn::ReLU(nn::ReLUOptions(/*inplace=*/true)));
      convolutions->push_back(nn::MaxPool2d(2));  // of so few channels faster than MaxPool2x2
      channels = out_channels;
      side = (side - 4) / 2;
    }
    features = register_module("features", convolutions);
    classifier = register_module(
        "classifier",
        nn::Sequential(nn::Linear(channels * side * side, 120),
                       nn::ReLU(nn::ReLUOptions(/*inplace=*/true)), nn::Dropout(options_.dropout()),
                       nn::Linear(120, 64), nn::ReLU(nn::ReLUOptions(/*inplace=*/true)),
                       nn::Linear(64, options_.num_classes())));
  }

  /// @param images  floating-point [N,3,image_size,image_size]
  /// @return logits [N,num_classes]
  /// @throws c10::ValueError if the images are not [N,3,image_size,image_size]
  torch::Tensor forward(const torch::Tensor& images) {
    check_square_images("CNN", images, options_.image_size());
    return classifier->forward(detail::forward_fused(features, images).flatten(1));
  }

  /// As given.
  const CNNOptions& options() const { return options_; }

  /// @{
  /// The layers, by the names that they have in Python.
  torch::nn::Sequential features{nullptr};
  torch::nn::Sequential classifier{nullptr};
  /// @}

 private:
  CNNOptions options_;
};

TORCH_MODULE(CNN);

}  // namespace regtorch
