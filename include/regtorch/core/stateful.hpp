#pragma once

#include <concepts>

#include <torch/nn/module.h>

#include "regtorch/core/tensor_dict.hpp"

/// What has a state that a checkpoint keeps: members `TensorDict state_dict() const` and
/// `void load_state_dict(const TensorDict&)`, of the object or of the module that it holds.
namespace regtorch::detail {

template <class T>
concept Stateful = requires(T& object, const TensorDict& state) {
  { object.state_dict() } -> std::convertible_to<TensorDict>;
  object.load_state_dict(state);
};
template <class T>
concept HolderOfStateful = requires(T& object, const TensorDict& state) {
  { object->state_dict() } -> std::convertible_to<TensorDict>;
  object->load_state_dict(state);
};

template <class T>
inline constexpr bool kHasState = Stateful<T> || HolderOfStateful<T>;

/// The object's state; empty if it has none.
template <class T>
TensorDict state_of(T& object) {
  if constexpr (Stateful<T>) {
    return object.state_dict();
  } else if constexpr (HolderOfStateful<T>) {
    return object->state_dict();
  } else {
    return TensorDict();
  }
}

/// Does nothing with an object that has no state.
template <class T>
void load_state(T& object, const TensorDict& state) {
  if constexpr (Stateful<T>) {
    object.load_state_dict(state);
  } else if constexpr (HolderOfStateful<T>) {
    object->load_state_dict(state);
  }
}

}  // namespace regtorch::detail
