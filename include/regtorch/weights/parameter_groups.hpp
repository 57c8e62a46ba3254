#pragma once

#include <concepts>
#include <cstddef>
#include <unordered_set>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/TensorImpl.h>
#include <c10/util/Exception.h>
#include <torch/optim/optimizer.h>

#include "regtorch/core/check.hpp"

namespace regtorch {

/// The options of an optimizer that knows weight decay and parameter groups: all of LibTorch's but
/// LBFGS.
template <class Options>
concept DecayOptions = std::derived_from<Options, torch::optim::OptimizerOptions> &&
                       requires(Options options) { options.weight_decay(0.0); };

/// Parameters that an optimizer treats alike, and all the options it treats them with.
template <DecayOptions Options>
struct ParameterGroup {
  std::vector<at::Tensor> parameters;  ///< at least one
  Options options;                     ///< the optimizer's, all of them
};

/// Makes an optimizer in which each parameter group has just the options that are given for it.
///
/// LibTorch's own constructors take an option that equals its default-constructed value for unset,
/// and put the optimizer's in its place: a group's `SGDOptions(lr).weight_decay(0)` becomes the
/// 5e-4 of the others, a learning rate of 1e-3 Adam's 0.1. And they check the options of no group.
///
/// @tparam Optimizer  a torch::optim optimizer, or one constructed alike from (std::vector<Tensor>,
///         Options)
/// @param groups  at least one; the first one's options are the optimizer's defaults()
/// @return the optimizer, with the groups in their order
/// @throws c10::ValueError if there is no group, a group has no parameters, or one occurs twice;
///         c10::Error, from the optimizer, for an option out of range or a tensor it can't train
template <class Optimizer, DecayOptions Options>
Optimizer with_parameter_groups(const std::vector<ParameterGroup<Options>>& groups) {
  TORCH_CHECK_VALUE(!groups.empty(), "with_parameter_groups: wanted at least one group, got none");
  std::unordered_set<const c10::TensorImpl*> seen;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    TORCH_CHECK_VALUE(!groups[i].parameters.empty(),
                      "with_parameter_groups: wanted parameters in each group, got none in group ",
                      i);
    for (const auto& parameter : groups[i].parameters) {
      TORCH_CHECK_VALUE(parameter.defined(),
                        "with_parameter_groups: wanted defined parameters, got ",
                        describe(parameter), " in group ", i);
      TORCH_CHECK_VALUE(seen.insert(parameter.unsafeGetTensorImpl()).second,
                        "with_parameter_groups: wanted each parameter once, got ",
                        describe(parameter), " again in group ", i);
    }
  }
  // Each group starts as an optimizer of its own: its options are checked and never merged, and
  // what an optimizer keeps from the start (Adagrad's sums) starts from them too.
  Optimizer optimizer(groups.front().parameters, groups.front().options);
  for (std::size_t i = 1; i < groups.size(); ++i) {
    Optimizer group(groups[i].parameters, groups[i].options);
    optimizer.param_groups().push_back(std::move(group.param_groups().front()));
    for (auto& [parameter, state] : group.state()) {
      optimizer.state()[parameter] = std::move(state);
    }
  }
  return optimizer;
}

}  // namespace regtorch
