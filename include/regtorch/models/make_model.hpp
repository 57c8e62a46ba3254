#pragma once

#include <functional>
#include <limits>
#include <map>
#include <string>

#include <c10/util/Exception.h>
#include <torch/nn/modules/container/any.h>

#include "regtorch/models/alexnet.hpp"
#include "regtorch/models/cnn.hpp"
#include "regtorch/models/model_options.hpp"
#include "regtorch/models/resnet.hpp"

namespace regtorch {

/// A model by its name, for programs that take one on the command line.
///
///     rt::make_model("cnn");  rt::make_model("resnet18", rt::ModelOptions(100).batch_norm(false));
///
/// @param name     "alexnet", "cnn", "resnet18" or "resnet34"
/// @param options  see model_options.hpp; a number is the number of classes
/// @return a torch::nn::AnyModule with forward(images [N,3,32,32]) -> logits [N,num_classes]
/// @throws c10::ValueError on another name (the message lists the known ones) or a bad option
inline torch::nn::AnyModule make_model(const std::string& name, const ModelOptions& options = {}) {
  // Overrides what a model's own options say.
  const auto configure = [&options](auto own) {
    own.num_classes(options.num_classes());
    own.batch_norm(options.batch_norm().value_or(own.batch_norm()));
    if (options.dropout() != std::numeric_limits<double>::infinity()) {
      own.dropout(options.dropout());
    }
    return own;
  };
  using torch::nn::AnyModule;
  const std::map<std::string, std::function<AnyModule()>> models{
      {"alexnet", [&] { return AnyModule(AlexNet(configure(AlexNetOptions()))); }},
      {"cnn", [&] { return AnyModule(CNN(configure(CNNOptions()))); }},
      {"resnet18",
       [&] {
         return AnyModule(ResNet(configure(ResNetOptions({2, 2, 2, 2}))));
       }},
      {"resnet34",
       [&] {
         return AnyModule(ResNet(configure(ResNetOptions({3, 4, 6, 3}))));
       }},
  };
  const auto model = models.find(name);
  if (model == models.end()) {
    std::string known;
    for (const auto& entry : models) {
      known += (known.empty() ? "" : ", ") + entry.first;
    }
    TORCH_CHECK_VALUE(false, "make_model: wanted one of ", known, ", got '", name, "'");
  }
  return model->second();
}

}  // namespace regtorch
