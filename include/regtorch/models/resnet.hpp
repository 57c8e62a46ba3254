#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/dropout.h>
#include <torch/arg.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/linear.h>

#include "regtorch/core/check.hpp"
#include "regtorch/models/residual_block.hpp"

namespace regtorch {

/// How deep a ResNet is, and for how many classes.
struct ResNetOptions {
  /// @param blocks  ResidualBlocks in each of the four layers, each at least 1: {2,2,2,2} is
  ///                ResNet-18, {3,4,6,3} ResNet-34
  ResNetOptions(std::vector<std::int64_t> blocks)  // NOLINT: ResNetOptions({2, 2, 2, 2}) idiom
      : blocks_(std::move(blocks)) {}

  /// How many blocks each of the four layers has.
  TORCH_ARG(std::vector<std::int64_t>, blocks);
  /// Length of the output; default 10.
  TORCH_ARG(std::int64_t, num_classes) = 10;
  /// Rate of a dropout before fc, in [0, 1); default 0: none.
  TORCH_ARG(double, dropout) = 0;
  /// Batch normalization behind each convolution; default true.
  TORCH_ARG(bool, batch_norm) = true;
};

/// The residual network for 32x32 images of the PyTorch study text: [N,3,32,32] to logits
/// [N,num_classes].
///
///     base    conv3x3 3->64 - BN - ReLU
///     layer1  blocks[0] ResidualBlocks, 64 channels, 32x32
///     layer2  blocks[1], 128, the first with stride 2: 16x16
///     layer3  blocks[2], 256, 8x8
///     layer4  blocks[3], 512, 4x4
///     gap     4x4 average pooling
///     fc      dropout, linear 512->num_classes
///
/// With 10 classes ResNet-18 has 11,173,962 parameters and ResNet-34 has 21,282,122. Names and
/// order are Python's: base.0.weight, layer1.0.conv_block.0.weight, layer2.0.downsample.0.weight,
/// fc.weight.
///
/// Without batch normalization it is initialised as Fixup does: the first convolution of each block
/// as He's scaled by 1 / sqrt(number of blocks), the last one and fc as 0 (see ResidualBlock).
///
/// Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016.
class ResNetImpl : public torch::nn::Cloneable<ResNetImpl> {
 public:
  /// @throws c10::ValueError if there are not four layers, or a number is below 1
  explicit ResNetImpl(ResNetOptions options) : options_(std::move(options)) {
    TORCH_CHECK_VALUE(options_.blocks().size() == kLayers, "ResNet: wanted blocks for ", kLayers,
                      " layers, got ", c10::IntArrayRef(options_.blocks()));
    for (const std::int64_t blocks : options_.blocks()) {
      TORCH_CHECK_VALUE(blocks >= 1, "ResNet: wanted at least 1 block in each layer, got ",
                        c10::IntArrayRef(options_.blocks()));
    }
    detail::check_classifier("ResNet", options_.num_classes(), options_.dropout());
    reset();
  }

  /// Makes all layers anew, with new weights.
  void reset() override {
    namespace nn = torch::nn;
    constexpr std::array<std::int64_t, kLayers> kChannels{64, 128, 256, 512};
    const bool batch_norm = options_.batch_norm();
    nn::Sequential first;
    detail::push_convolution(first, nn::Conv2dOptions(3, 64, 3).padding(1), batch_norm);
    first->push_back(nn::ReLU(nn::ReLUOptions(/*inplace=*/true)));
    base = register_module("base", first);
    const std::int64_t blocks =
        std::accumulate(options_.blocks().begin(), options_.blocks().end(), std::int64_t{0});
    std::int64_t in_channels = 64;
    for (std::size_t l = 0; l < kLayers; ++l) {
      nn::Sequential layer;
      for (std::int64_t b = 0; b < options_.blocks()[l]; ++b) {
        ResidualBlock block(ResidualBlockOptions(in_channels, kChannels[l])
                                .stride(l > 0 && b == 0 ? 2 : 1)
                                .batch_norm(batch_norm));
        if (!batch_norm) {
          const at::NoGradGuard no_grad;
          block->conv_block->at<nn::Conv2dImpl>(0).weight.mul_(
              1 / std::sqrt(static_cast<double>(blocks)));
        }
        layer->push_back(block);
        in_channels = kChannels[l];
      }
      layers.at(l) = register_module("layer" + std::to_string(l + 1), layer);
    }
    fc = register_module("fc", nn::Linear(512, options_.num_classes()));
    if (!batch_norm) {
      nn::init::zeros_(fc->weight);
      nn::init::zeros_(fc->bias);
    }
  }

  /// @param images  floating-point [N,3,32,32]
  /// @return logits [N,num_classes]
  /// @throws c10::ValueError if the images are not [N,3,32,32]
  torch::Tensor forward(const torch::Tensor& images) {
    check_square_images("ResNet", images, 32);
    torch::Tensor x = detail::forward_fused(base, images);
    for (auto& layer : layers) {
      x = layer->forward(x);
    }
    x = at::avg_pool2d(x, 4).flatten(1);
    return fc->forward(at::dropout(x, options_.dropout(), is_training()));
  }

  /// As given.
  const ResNetOptions& options() const { return options_; }

  /// How many layers of blocks there are.
  static constexpr std::size_t kLayers = 4;
  /// @{
  /// The parts, by the names that they have in Python.
  torch::nn::Sequential base{nullptr};
  std::array<torch::nn::Sequential, kLayers> layers{nullptr, nullptr, nullptr, nullptr};
  torch::nn::Linear fc{nullptr};
  /// @}

 private:
  ResNetOptions options_;
};

TORCH_MODULE(ResNet);

/// ResNet-18 for 32x32 images.
/// @param num_classes  length of the output, at least 1
inline ResNet resnet18(std::int64_t num_classes = 10) {
  return ResNet(ResNetOptions({2, 2, 2, 2}).num_classes(num_classes));
}

/// ResNet-34 for 32x32 images.
/// @param num_classes  length of the output, at least 1
inline ResNet resnet34(std::int64_t num_classes = 10) {
  return ResNet(ResNetOptions({3, 4, 6, 3}).num_classes(num_classes));
}

}  // namespace regtorch
