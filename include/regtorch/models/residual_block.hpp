#pragma once

#include <cstdint>

#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

#include "regtorch/models/convolution.hpp"

namespace regtorch {

/// The shape of a residual block.
struct ResidualBlockOptions {
  /// The options that have no default.
  ResidualBlockOptions(std::int64_t in_channels, std::int64_t out_channels)
      : in_channels_(in_channels), out_channels_(out_channels) {}

  /// Of the input [N,in_channels,H,W], at least 1.
  TORCH_ARG(std::int64_t, in_channels);
  /// Of the output [N,out_channels,ceil(H/stride),ceil(W/stride)], at least 1.
  TORCH_ARG(std::int64_t, out_channels);
  /// Of the first convolution and of the shortcut, at least 1; default 1.
  TORCH_ARG(std::int64_t, stride) = 1;
  /// Batch normalization behind each convolution; default true.
  TORCH_ARG(bool, batch_norm) = true;
};

/// The basic block of a residual network, with batch normalization:
///
///     y = ReLU(conv_block(x) + shortcut(x))
///     conv_block = conv3x3(stride) - BN - ReLU - conv3x3 - BN
///     shortcut   = x, or conv1x1(stride) - BN ("downsample") where the shape changes
///
/// Convolutions have no bias, since BN brings one. Parameters and buffers are named, and ordered,
/// as in the PyTorch study text: conv_block.0.weight, conv_block.1.weight, ..., downsample.1.bias.
///
/// Without BN convolutions have a bias, and are named conv_block.0, conv_block.2 and downsample.0.
/// The last of conv_block begins as 0, so that the block begins as ReLU(shortcut(x)): a stack of
/// blocks then neither blows up nor fades what passes through it, which is what BN is there for.
///
/// Sources: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016; without
/// BN: Zhang, Dauphin, Ma, "Fixup initialization: residual learning without normalization", ICLR
/// 2019.
class ResidualBlockImpl : public torch::nn::Cloneable<ResidualBlockImpl> {
 public:
  /// @throws c10::ValueError if channels or stride are below 1
  explicit ResidualBlockImpl(ResidualBlockOptions options) : options_(options) {
    TORCH_CHECK_VALUE(
        options_.in_channels() >= 1 && options_.out_channels() >= 1 && options_.stride() >= 1,
        "ResidualBlock: wanted channels and stride of at least 1, got in_channels ",
        options_.in_channels(), ", out_channels ", options_.out_channels(), ", stride ",
        options_.stride());
    reset();
  }
  /// The same for ResidualBlockOptions(in_channels, out_channels).stride(stride).
  ResidualBlockImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t stride = 1)
      : ResidualBlockImpl(ResidualBlockOptions(in_channels, out_channels).stride(stride)) {}

  /// Makes all layers anew, with new weights.
  void reset() override {
    namespace nn = torch::nn;
    const std::int64_t in = options_.in_channels();
    const std::int64_t out = options_.out_channels();
    const std::int64_t stride = options_.stride();
    const bool batch_norm = options_.batch_norm();
    nn::Sequential block;
    detail::push_convolution(block, nn::Conv2dOptions(in, out, 3).stride(stride).padding(1),
                             batch_norm);
    block->push_back(nn::ReLU(nn::ReLUOptions(/*inplace=*/true)));
    detail::push_convolution(block, nn::Conv2dOptions(out, out, 3).padding(1), batch_norm);
    conv_block = register_module("conv_block", block);
    if (!batch_norm) {
      nn::init::zeros_(conv_block->at<nn::Conv2dImpl>(2).weight);
    }
    downsample = nullptr;
    if (stride != 1 || in != out) {
      nn::Sequential shortcut;
      detail::push_convolution(shortcut, nn::Conv2dOptions(in, out, 1).stride(stride), batch_norm);
      downsample = register_module("downsample", shortcut);
      if (!batch_norm) {
        // No ReLU took half of the variance away before this one's output is added up.
        nn::init::kaiming_normal_(downsample->at<nn::Conv2dImpl>(0).weight, 0, torch::kFanIn,
                                  torch::kLinear);
      }
    }
  }

  /// @param input  [N, in_channels, H, W]
  /// @return [N, out_channels, ceil(H / stride), ceil(W / stride)]
  torch::Tensor forward(const torch::Tensor& input) {
    const torch::Tensor shortcut = downsample.is_empty() ? input : downsample->forward(input);
    return detail::forward_fused(conv_block, input, shortcut);
  }

  torch::nn::Sequential conv_block{nullptr};  ///< convolutions, by the names they have in Python
  torch::nn::Sequential downsample{nullptr};  ///< empty where the shortcut is the identity

 private:
  ResidualBlockOptions options_;
};

TORCH_MODULE(ResidualBlock);

}  // namespace regtorch
