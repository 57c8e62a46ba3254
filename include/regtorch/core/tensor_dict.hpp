#pragma once

#include <string>

#include <ATen/core/Tensor.h>
#include <torch/ordered_dict.h>

namespace regtorch {

/// Tensors by name, in order: what Python calls a state_dict.
using TensorDict = torch::OrderedDict<std::string, at::Tensor>;

}  // namespace regtorch
