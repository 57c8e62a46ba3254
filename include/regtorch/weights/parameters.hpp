#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/TensorImpl.h>
#include <c10/util/Exception.h>
#include <torch/nn/module.h>

#include "regtorch/core/check.hpp"

namespace regtorch {

/// Whether a parameter of this name ("layer1.0.weight") is one of those meant.
using ParameterFilter = std::function<bool(const std::string& name, const at::Tensor& parameter)>;

/// The filter that keeps the parameters of two or more dimensions: the weights of linear and
/// convolutional layers and embeddings, no bias, and no normalisation but a LayerNorm over several
/// dimensions, whose parameters have as many.
inline bool at_least_2d(const std::string& /*name*/, const at::Tensor& parameter) {
  return parameter.dim() >= 2;
}

namespace detail {

/// The trainable parameters of `module`, those that `filter` keeps and the others. One that modules
/// share occurs once, under its first name.
inline std::pair<std::vector<at::Tensor>, std::vector<at::Tensor>> split_parameters(
    const torch::nn::Module& module, const ParameterFilter& filter) {
  std::pair<std::vector<at::Tensor>, std::vector<at::Tensor>> split;
  std::unordered_set<const c10::TensorImpl*> seen;
  for (const auto& entry : module.named_parameters()) {
    const at::Tensor& parameter = entry.value();
    if (parameter.requires_grad() && seen.insert(parameter.unsafeGetTensorImpl()).second) {
      (filter(entry.key(), parameter) ? split.first : split.second).push_back(parameter);
    }
  }
  return split;
}

}  // namespace detail

/// The parameters that a penalty or a constraint is about: some of a module, or any list.
///
///     rt::l2_penalty(*model, 1e-4);               // its weights of two or more dimensions
///     rt::l2_penalty({*model, filter}, 1e-4);     // those that a filter keeps
///     rt::l2_penalty(model->parameters(), 1e-4);  // these, whatever they are
///
/// Made once and kept, it spares a loop the search for the names.
class Parameters {
 public:
  /// Those trainable parameters of `module` (requires_grad) that `filter` keeps; one that is shared
  /// counts once.
  ///
  /// @param module  may change its values later on, not its parameters
  /// @param filter  callable (name, parameter) -> bool; default at_least_2d
  /// @throws c10::ValueError if none is left (is a name in the filter misspelt?) or one is not
  ///         floating-point
  Parameters(const torch::nn::Module& module, const ParameterFilter& filter = at_least_2d)
      : tensors_(detail::split_parameters(module, filter).first) {
    TORCH_CHECK_VALUE(!tensors_.empty(),
                      "Parameters: wanted a trainable parameter that the filter keeps, got none "
                      "among the module's ",
                      module.named_parameters().size());
    check_type();
  }
  /// @throws c10::ValueError if there are none, or one is undefined or not floating-point
  Parameters(std::vector<at::Tensor> parameters) : tensors_(std::move(parameters)) {
    TORCH_CHECK_VALUE(!tensors_.empty(), "Parameters: wanted at least one, got none");
    check_type();
  }
  /// The same for tensors in braces.
  Parameters(std::initializer_list<at::Tensor> parameters)
      : Parameters(std::vector<at::Tensor>(parameters)) {}

  /// The parameters meant.
  const std::vector<at::Tensor>& tensors() const { return tensors_; }

 private:
  void check_type() const {
    for (const auto& parameter : tensors_) {
      TORCH_CHECK_VALUE(parameter.defined() && parameter.is_floating_point(),
                        "Parameters: wanted floating-point tensors, got ", describe(parameter));
    }
  }

  std::vector<at::Tensor> tensors_;
};

}  // namespace regtorch
