#pragma once

#include <cmath>
#include <cstdint>

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>

namespace regtorch::detail {

/// Appends a convolution, and batch normalization behind it if wanted. Then the convolution needs
/// no bias, since the normalization brings one. Without it the convolution has a bias of 0 and
/// weights of mean 0 and variance 2 / fan_in, which keep the size of what passes through ReLUs
/// (He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015).
inline void push_convolution(torch::nn::Sequential& layers, torch::nn::Conv2dOptions options,
                             bool batch_norm) {
  torch::nn::Conv2d convolution(options.bias(!batch_norm));
  if (!batch_norm) {
    torch::nn::init::kaiming_normal_(convolution->weight, 0, torch::kFanIn, torch::kReLU);
    torch::nn::init::zeros_(convolution->bias);
  }
  layers->push_back(convolution);
  if (batch_norm) {
    layers->push_back(torch::nn::BatchNorm2d(options.out_channels()));
  }
}

/// Throws c10::ValueError unless there are classes to tell apart and the rate is in [0, 1).
inline void check_classifier(const char* who, std::int64_t num_classes, double dropout) {
  TORCH_CHECK_VALUE(num_classes >= 1, who, ": wanted at least 1 class, got ", num_classes);
  TORCH_CHECK_VALUE(dropout >= 0 && dropout < 1, who, ": wanted a dropout rate in [0, 1), got ",
                    dropout);
}

}  // namespace regtorch::detail
