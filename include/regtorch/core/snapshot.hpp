#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/module.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/tensor_dict.hpp"

namespace regtorch {

/// A copy of all parameters and buffers of a module, to be put back later bit for bit.
class Snapshot {
 public:
  Snapshot() = default;
  /// @{
  /// A copy has tensors of its own.
  Snapshot(Snapshot&&) = default;
  Snapshot& operator=(Snapshot&&) = default;
  // Not the default, which would share the tensors that capture() writes into.
  Snapshot(const Snapshot& other) : Snapshot(other.tensors_) {}
  Snapshot& operator=(const Snapshot& other) { return *this = Snapshot(other); }
  /// @}
  /// A copy of what another snapshot had, for example before it was written to a file.
  explicit Snapshot(const TensorDict& tensors) {
    for (const auto& entry : tensors) {
      tensors_.insert(entry.key(), entry.value().clone());
    }
  }

  /// Whether nothing has been captured.
  bool empty() const { return tensors_.is_empty(); }

  /// What was captured; the next capture writes into the same tensors.
  const TensorDict& tensors() const { return tensors_; }

  /// Copies what `module` holds now; memory of an earlier copy of the same module is used again.
  void capture(const torch::nn::Module& module) {
    const at::NoGradGuard no_grad;
    const auto now = tensors_of(module);
    if (fits(now)) {
      for (const auto& entry : now) {
        tensors_[entry.key()].copy_(entry.value());
      }
      return;
    }
    tensors_.clear();
    for (const auto& entry : now) {
      tensors_.insert(entry.key(), entry.value().detach().clone());
    }
  }

  /// Puts the copy back into `module`, keeping its tensors, so that an optimizer goes on with them.
  /// @throws c10::Error, with `module` unchanged, if nothing was captured or it is another's
  void restore(torch::nn::Module& module) const {
    TORCH_CHECK(!empty(), "Snapshot: nothing was captured yet");
    const at::NoGradGuard no_grad;
    auto now = tensors_of(module);
    TORCH_CHECK(fits(now), "Snapshot: wanted the module that was captured, with ", tensors_.size(),
                " parameters and buffers, got one with ", now.size(),
                " or with other names, shapes or types");
    for (auto& entry : now) {
      entry.value().copy_(tensors_[entry.key()]);
    }
  }

 private:
  static TensorDict tensors_of(const torch::nn::Module& module) {
    TensorDict tensors = module.named_parameters();
    tensors.update(module.named_buffers());
    return tensors;
  }
  bool fits(const TensorDict& now) const {
    if (now.size() != tensors_.size()) {
      return false;
    }
    for (const auto& entry : now) {
      const auto* own = tensors_.find(entry.key());
      if (own == nullptr || own->sizes() != entry.value().sizes() ||
          own->scalar_type() != entry.value().scalar_type()) {
        return false;
      }
    }
    return true;
  }

  TensorDict tensors_;
};

}  // namespace regtorch
