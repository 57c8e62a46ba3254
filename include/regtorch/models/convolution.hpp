#pragma once

#include <cstdint>
#include <typeinfo>
#include <utility>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>

#include "regtorch/layers/batch_norm_relu.hpp"

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

/// Whether the layer is a Module and nothing else: a class derived from it may have a forward of
/// its own.
template <class Module>
bool is_a(const torch::nn::AnyModule& layer) {
  return layer.type_info() == typeid(Module);
}

/// layers->forward(x), or with a shortcut ReLU(layers->forward(x) + shortcut), in which a batch
/// normalization and the ReLU behind it are one. All else runs as it would otherwise: users may put
/// in other layers.
inline at::Tensor forward_fused(torch::nn::Sequential& layers, const at::Tensor& x,
                                const at::Tensor& shortcut = {}) {
  TORCH_CHECK(!layers->is_empty(), "Cannot call forward() on an empty Sequential");
  torch::nn::AnyValue value(x);
  for (auto layer = layers->begin(); layer != layers->end(); ++layer) {
    const auto next = layer + 1;
    const bool is_last = next == layers->end();
    const at::Tensor* const images = value.try_get<at::Tensor>();
    if (images != nullptr && is_a<torch::nn::BatchNorm2dImpl>(*layer)) {
      auto& norm = *layer->ptr()->as<torch::nn::BatchNorm2d>();
      if (is_last && shortcut.defined()) {
        return batch_norm_relu(norm, *images, shortcut);
      }
      if (!is_last && is_a<torch::nn::ReLUImpl>(*next)) {
        value = torch::nn::AnyValue(batch_norm_relu(norm, *images));
        layer = next;
        continue;
      }
    }
    value = layer->any_forward(std::move(value));
  }
  auto y = value.get<at::Tensor>();
  return shortcut.defined() ? y.add_(shortcut).relu_() : y;
}

/// Throws c10::ValueError unless there are classes to tell apart and the rate is in [0, 1).
inline void check_classifier(const char* who, std::int64_t num_classes, double dropout) {
  TORCH_CHECK_VALUE(num_classes >= 1, who, ": wanted at least 1 class, got ", num_classes);
  TORCH_CHECK_VALUE(dropout >= 0 && dropout < 1, who, ": wanted a dropout rate in [0, 1), got ",
                    dropout);
}

}  // namespace regtorch::detail
