#pragma once

#include <concepts>
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

namespace detail {

/// Whether module_of(holder) is there.
template <class T>
concept HoldsModule = requires(const T& holder) {
  { *holder.ptr() } -> std::convertible_to<torch::nn::Module&>;
} || requires(const T& holder) {
  { *holder } -> std::convertible_to<torch::nn::Module&>;
};

}  // namespace detail

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
  /// @param model  which must outlive this
  explicit KeepMode(torch::nn::Module& model) : model_(model), training_(model.is_training()) {
    for (auto& module : model.modules(/*include_self=*/false)) {
      const bool training = module->is_training();
      below_.emplace_back(std::move(module), training);
    }
  }
  ~KeepMode() {
    // train() sets a module and all below it, so parents first, as modules() lists them.
    model_.train(training_);
    for (const auto& [module, training] : below_) {
      module->train(training);
    }
  }
  KeepMode(const KeepMode&) = delete;
  KeepMode& operator=(const KeepMode&) = delete;

 private:
  torch::nn::Module& model_;
  bool training_;
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> below_;
};

}  // namespace regtorch
