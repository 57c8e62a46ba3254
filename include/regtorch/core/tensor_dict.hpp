#pragma once

#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>
#include <torch/ordered_dict.h>

namespace regtorch {

/// Tensors by name, in order: what Python calls a state_dict.
using TensorDict = torch::OrderedDict<std::string, at::Tensor>;

namespace detail {

/// Adds the entries of `part`, each name with `prefix` before it.
inline void insert_part(TensorDict& all, std::string_view prefix, const TensorDict& part) {
  for (const auto& entry : part) {
    all.insert(std::string(prefix) + entry.key(), entry.value());
  }
}

/// The entries whose names begin with `prefix`, without it.
inline TensorDict part_of(const TensorDict& all, std::string_view prefix) {
  TensorDict part;
  for (const auto& entry : all) {
    if (entry.key().starts_with(prefix)) {
      part.insert(entry.key().substr(prefix.size()), entry.value());
    }
  }
  return part;
}

}  // namespace detail

}  // namespace regtorch
