#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include <c10/util/Exception.h>
#include <torch/nn/modules/container/any.h>

#include "regtorch/models/resnet.hpp"

namespace regtorch {

/// A model by its name, for programs that take one on the command line.
///
/// @param name         "resnet18" or "resnet34"
/// @param num_classes  length of the output; default 10
/// @return a torch::nn::AnyModule with forward(images [N,3,32,32]) -> logits [N,num_classes]
/// @throws c10::ValueError on another name; the message lists the known ones
inline torch::nn::AnyModule make_model(const std::string& name, std::int64_t num_classes = 10) {
  using Make = std::function<torch::nn::AnyModule()>;
  const std::map<std::string, Make> models{
      {"resnet18", [&] { return torch::nn::AnyModule(resnet18(num_classes)); }},
      {"resnet34", [&] { return torch::nn::AnyModule(resnet34(num_classes)); }},
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
