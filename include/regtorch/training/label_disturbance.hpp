#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <ATen/core/Tensor.h>

#include "regtorch/core/stateful.hpp"
#include "regtorch/core/tensor_dict.hpp"

namespace regtorch::detail {

/// What `disturb`, a module or another callable, makes of the labels. (Modules are asked first:
/// whether LibTorch's ModuleHolder can be called with some arguments cannot be asked.)
template <class Disturb>
at::Tensor disturbed(Disturb& disturb, const at::Tensor& labels, const at::Tensor& logits) {
  if constexpr (requires { disturb->forward(labels, logits); }) {
    return disturb->forward(labels, logits);
  } else if constexpr (requires { disturb->forward(labels); }) {
    return disturb->forward(labels);
  } else if constexpr (std::is_invocable_r_v<at::Tensor, Disturb&, const at::Tensor&,
                                             const at::Tensor&>) {
    return disturb(labels, logits);
  } else {
    static_assert(std::is_invocable_r_v<at::Tensor, Disturb&, const at::Tensor&>,
                  "disturb_labels wants a callable labels -> labels or (labels, logits) -> labels");
    return disturb(labels);
  }
}

/// What changes the labels that a Trainer trains on, of whatever class, with its state if it has
/// any.
class LabelDisturbance {
 public:
  template <class Disturb>
  explicit LabelDisturbance(Disturb disturb) {
    const auto shared = std::make_shared<Disturb>(std::move(disturb));
    call_ = [shared](const at::Tensor& labels, const at::Tensor& logits) {
      return disturbed(*shared, labels, logits);
    };
    state_dict_ = [shared] { return state_of(*shared); };
    load_state_dict_ = [shared](const TensorDict& state) { load_state(*shared, state); };
  }

  at::Tensor operator()(const at::Tensor& labels, const at::Tensor& logits) const {
    return call_(labels, logits);
  }
  TensorDict state_dict() const { return state_dict_(); }
  void load_state_dict(const TensorDict& state) const { load_state_dict_(state); }

 private:
  std::function<at::Tensor(const at::Tensor&, const at::Tensor&)> call_;
  std::function<TensorDict()> state_dict_;
  std::function<void(const TensorDict&)> load_state_dict_;
};

}  // namespace regtorch::detail
