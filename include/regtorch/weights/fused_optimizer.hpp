#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <torch/optim/optimizer.h>

#include "regtorch/core/dense_arrays.hpp"
#include "regtorch/core/device_arrays.hpp"
#include "regtorch/core/device_memory.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/weights/device_steps.hpp"

namespace regtorch::detail {

/// The memory of a parameter's state: two tensors at most.
using StateArrays = std::array<void*, 2>;

/// A torch::optim optimizer that steps its parameters in one parallel pass over their memory, and
/// leaves to its base what the pass can't take: parameters that are not float32 or float64 on the
/// CPU, nor float32 on a device for which there is a kernel, or have gaps, gradients of another
/// kind, and options that Pass does not know.
///
/// Options, state and files are the base's.
///
/// @tparam Base  the optimizer
/// @tparam Pass  its arithmetic:
///         - `Options`, `State`: the base's; `Rule`: the numbers of one parameter's step
///         - `static bool takes(const Options&)`, whether it knows these
///         - `static bool has_state(const Options&)`, whether a step needs any
///         - `static std::unique_ptr<State> start(const at::Tensor& parameter)`
///         - `static std::array<at::Tensor*, n> tensors(State&)`, n at most 2
///         - `static Rule next(State*, const Options&, bool first)`, null without state
///         - `static void step(T* p, const T* g, const StateArrays&, begin, end, const Rule&, isa)`
///         - `static auto device_step()`, the function of kernels::DeviceKernels, or null
template <class Base, class Pass>
class FusedOptimizer : public Base {
 public:
  using Base::Base;

  /// One step, as the base's.
  /// @param closure  computes the loss and the gradients first; default: they are there already
  /// @return what the closure returned
  at::Tensor step(torch::optim::Optimizer::LossClosure closure = nullptr) override {
    at::Tensor loss;
    if (closure != nullptr) {
      const at::AutoGradMode with_grad(true);
      loss = closure();
    }
    const at::NoGradGuard no_grad;
    Batch batch;
    Groups others;
    for (auto& group : this->param_groups()) {
      const auto& options = static_cast<const typename Pass::Options&>(group.options());
      std::vector<at::Tensor> left;
      for (const auto& parameter : group.params()) {
        if (parameter.grad().defined() && !add(parameter, options, batch)) {
          left.push_back(parameter);
        }
      }
      if (!left.empty()) {
        others.emplace_back(std::move(left), group.options().clone());
      }
    }
    run(batch);
    if (!others.empty()) {
      const Swap these_alone(this->param_groups(), others);
      Base::step();
    }
    return loss;
  }

 private:
  using Groups = std::vector<torch::optim::OptimizerParamGroup>;

  struct Item {
    at::Tensor parameter;
    at::Tensor gradient;
    void* p;
    const void* g;
    StateArrays states;
    typename Pass::Rule rule;
  };

  struct Batch {
    std::vector<Item> items;
    ArrayBlocks blocks;  // of the items, those on devices being empty
    DeviceSteps<typename Pass::Rule> device_steps;
    std::unordered_set<const void*> seen;
  };

  /// Other groups for the time of a scope.
  class Swap {
   public:
    Swap(Groups& groups, Groups& others) : groups_(groups), others_(others) {
      groups_.swap(others_);
    }
    ~Swap() { groups_.swap(others_); }
    Swap(const Swap&) = delete;
    Swap& operator=(const Swap&) = delete;

   private:
    Groups& groups_;
    Groups& others_;
  };

  static bool fits(const at::Tensor& x, const at::Tensor& parameter) {
    return x.defined() && x.device() == parameter.device() && x.layout() == at::kStrided &&
           !x.is_neg() && x.scalar_type() == parameter.scalar_type() &&
           x.sizes() == parameter.sizes();
  }

  /// False, with nothing changed, if the base is to step this parameter.
  bool add(const at::Tensor& parameter, const typename Pass::Options& options, Batch& batch) {
    // One that is listed twice, or shares another's memory, steps after the pass: in turn.
    const bool on_device = is_dense_on_device(parameter) && Pass::device_step() != nullptr;
    if (!Pass::takes(options) || !(on_device || is_dense(parameter)) ||
        !fits(parameter.grad(), parameter) ||
        !batch.seen.insert(parameter.const_data_ptr()).second) {
      return false;
    }
    typename Pass::State* state = nullptr;
    StateArrays arrays{};
    bool first = false;
    if (Pass::has_state(options)) {
      auto& entry = this->state()[parameter.unsafeGetTensorImpl()];
      first = entry == nullptr;
      if (first) {
        entry = Pass::start(parameter);
      }
      state = static_cast<typename Pass::State*>(entry.get());
      const auto tensors = Pass::tensors(*state);
      for (const at::Tensor* tensor : tensors) {
        if (!fits(*tensor, parameter)) {
          return false;
        }
      }
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        // It may come from a file, or from the time before the model became channels_last.
        *tensors[i] = laid_out_like(*tensors[i], parameter);
        arrays[i] = tensors[i]->mutable_data_ptr();
      }
    }
    const at::Tensor gradient = laid_out_like(parameter.grad(), parameter);
    batch.items.push_back({parameter, gradient, parameter.mutable_data_ptr(),
                           gradient.const_data_ptr(), arrays, Pass::next(state, options, first)});
    batch.blocks.add(on_device ? 0 : parameter.numel());
    if (on_device) {
      const Item& item = batch.items.back();
      batch.device_steps.add(
          device_number(parameter), item.rule,
          {static_cast<float*>(item.p), static_cast<const float*>(item.g),
           static_cast<float*>(arrays[0]), static_cast<float*>(arrays[1]), parameter.numel()});
    }
    return true;
  }

  static void run(const Batch& batch) {
    const kernels::Isa isa = kernels::active_isa();
    batch.blocks.for_each(
        [&](std::int64_t, std::size_t index, std::int64_t begin, std::int64_t end) {
          const Item& item = batch.items[index];
          if (item.parameter.scalar_type() == at::kDouble) {
            Pass::step(static_cast<double*>(item.p), static_cast<const double*>(item.g),
                       item.states, begin, end, item.rule, isa);
          } else {
            Pass::step(static_cast<float*>(item.p), static_cast<const float*>(item.g), item.states,
                       begin, end, item.rule, isa);
          }
        });
    batch.device_steps.run(Pass::device_step());
    for (const Item& item : batch.items) {
      // Autograd must see that the values it saved are gone.
      item.parameter.unsafeGetTensorImpl()->bump_version();
    }
  }
};

}  // namespace regtorch::detail
