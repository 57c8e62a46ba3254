#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

/// What regtorch calls a model: a torch::nn::ModuleHolder (rt::ResNet), a torch::nn::AnyModule or a
/// std::shared_ptr to a module, with a forward from a tensor to a tensor.
namespace regtorch {

/// The module inside a model.
template <class Model>
torch::nn::Module& module_of(const Model& model) {
  if constexpr (requires { model.ptr(); }) {
    return *model.ptr();
  } else {
    return *model;
  }
}

/// The model's output for `input`.
template <class Model>
at::Tensor forward(Model& model, const at::Tensor& input) {
  if constexpr (requires { model.forward(input); }) {
    return model.forward(input);
  } else {
    return model->forward(input);
  }
}

/// Remembers which of a model's modules are in training mode, and puts each back at the end.
class KeepMode {
 public:
  explicit KeepMode(torch::nn::Module& model) {
    // The raw root pointer: a module on the stack is in no shared_ptr.
    modes_.emplace_back(&model, model.is_training());
    for (const auto& module : model.modules(/*include_self=*/false)) {
      modes_.emplace_back(module.get(), module->is_training());
    }
  }
  ~KeepMode() {
    // train() sets a module and all below it, so parents first, as modules() lists them.
    for (const auto& [module, training] : modes_) {
      module->train(training);
    }
  }
  KeepMode(const KeepMode&) = delete;
  KeepMode& operator=(const KeepMode&) = delete;

 private:
  std::vector<std::pair<torch::nn::Module*, bool>> modes_;
};

}  // namespace regtorch
