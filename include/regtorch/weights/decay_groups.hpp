#pragma once

#include <utility>
#include <vector>

#include <c10/util/Exception.h>
#include <torch/nn/module.h>

#include "regtorch/weights/parameter_groups.hpp"
#include "regtorch/weights/parameters.hpp"

namespace regtorch {

/// Makes an optimizer over a module's parameters that decays the weights, and no bias and no
/// normalisation: the former in one parameter group with `options`, the others in a second one with
/// `options` but a weight decay of 0.
///
///     auto optimizer = rt::with_decay_groups<torch::optim::SGD>(
///         *model, torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4));
///
/// A group that would be empty is left out. Parameters that are frozen (requires_grad false) are in
/// neither, also if they are unfrozen later; one that modules share is in one, once.
///
/// @tparam Optimizer  see with_parameter_groups
/// @param module   with at least one trainable parameter
/// @param options  of the optimizer, its weight decay included
/// @param decayed  callable (name, parameter) -> bool, true for the parameters to decay; default
///                 at_least_2d: those of two or more dimensions
/// @return the optimizer
/// @throws c10::ValueError if there is no trainable parameter; c10::Error, from the optimizer, for
///         an option out of range
///
/// Source: He, Zhang, Zhang, Zhang, Xie, Li, "Bag of tricks for image classification with
/// convolutional neural networks", CVPR 2019, section 3.1.
template <class Optimizer, DecayOptions Options>
Optimizer with_decay_groups(const torch::nn::Module& module, const Options& options,
                            const ParameterFilter& decayed = at_least_2d) {
  auto [weights, others] = detail::split_parameters(module, decayed);
  TORCH_CHECK_VALUE(!weights.empty() || !others.empty(),
                    "with_decay_groups: wanted a module with a trainable parameter, got none among "
                    "its ",
                    module.named_parameters().size());
  std::vector<ParameterGroup<Options>> groups;
  if (!weights.empty()) {
    groups.push_back({std::move(weights), options});
  }
  if (!others.empty()) {
    groups.push_back({std::move(others), options});
    groups.back().options.weight_decay(0);
  }
  return with_parameter_groups<Optimizer>(groups);
}

}  // namespace regtorch
