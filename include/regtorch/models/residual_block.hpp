#pragma once

#include <cstdint>

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>

namespace regtorch {

/// The basic block of a residual network, with batch normalization:
///
///     y = ReLU(conv_block(x) + shortcut(x))
///     conv_block = conv3x3(stride) - BN - ReLU - conv3x3 - BN
///     shortcut   = x, or conv1x1(stride) - BN ("downsample") where the shape changes
///
/// Convolutions have no bias, since BN brings one. Parameters and buffers are named, and ordered,
/// as in the PyTorch study text: conv_block.0.weight, conv_block.1.weight, ..., downsample.1.bias.
///
/// Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016.
class ResidualBlockImpl : public torch::nn::Cloneable<ResidualBlockImpl> {
 public:
  /// @param in_channels   of the input [N,in_channels,H,W], at least 1
  /// @param out_channels  of the output [N,out_channels,ceil(H/stride),ceil(W/stride)], at least 1
  /// @param stride        of the first convolution and of the shortcut, at least 1; default 1
  /// @throws c10::ValueError if one is below 1
  ResidualBlockImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t stride = 1)
      : in_channels_(in_channels), out_channels_(out_channels), stride_(stride) {
    TORCH_CHECK_VALUE(in_channels >= 1 && out_channels >= 1 && stride >= 1,
                      "ResidualBlock: wanted channels and stride of at least 1, got in_channels ",
                      in_channels, ", out_channels ", out_channels, ", stride ", stride);
    reset();
  }

  void reset() override {
    namespace nn = torch::nn;
    conv_block = register_module(
        "conv_block",
        nn::Sequential(
            nn::Conv2d(nn::Conv2dOptions(in_channels_, out_channels_, 3)
                           .stride(stride_)
                           .padding(1)
                           .bias(false)),
            nn::BatchNorm2d(out_channels_), nn::ReLU(nn::ReLUOptions(/*inplace=*/true)),
            nn::Conv2d(nn::Conv2dOptions(out_channels_, out_channels_, 3).padding(1).bias(false)),
            nn::BatchNorm2d(out_channels_)));
    downsample = nullptr;
    if (stride_ != 1 || in_channels_ != out_channels_) {
      downsample = register_module(
          "downsample",
          nn::Sequential(
              nn::Conv2d(
                  nn::Conv2dOptions(in_channels_, out_channels_, 1).stride(stride_).bias(false)),
              nn::BatchNorm2d(out_channels_)));
    }
  }

  torch::Tensor forward(const torch::Tensor& input) {
    const torch::Tensor shortcut = downsample.is_empty() ? input : downsample->forward(input);
    return conv_block->forward(input).add_(shortcut).relu_();
  }

  torch::nn::Sequential conv_block{nullptr};
  torch::nn::Sequential downsample{nullptr};  ///< empty where the shortcut is the identity

 private:
  std::int64_t in_channels_;
  std::int64_t out_channels_;
  std::int64_t stride_;
};

TORCH_MODULE(ResidualBlock);

}  // namespace regtorch
