#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <ostream>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include "regtorch/core/call_keys.hpp"
#include "regtorch/core/check.hpp"
#include "regtorch/core/device_memory.hpp"
#include "regtorch/core/key.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/disturb_value.hpp"

namespace regtorch {

/// How often targets are disturbed, and how much.
struct DisturbValueOptions {
  /// The options that have no default.
  DisturbValueOptions(double alpha, double sigma) : alpha_(alpha), sigma_(sigma) {}

  /// The noise rate in percent, in [0, 100].
  TORCH_ARG(double, alpha);
  /// The standard deviation of the noise, in the unit of the targets; finite, at least 0.
  TORCH_ARG(double, sigma);
  /// Of the disturbance; default: each call draws one from LibTorch's default CPU generator.
  TORCH_ARG(std::optional<std::uint64_t>, seed);
};

namespace detail {

/// Disturbs values on a device by its kernel, each with probability yes / 2^32.
inline at::Tensor disturbed_on_device(const at::Tensor& targets, std::uint64_t yes, double sigma,
                                      kernels::RandomStream stream) {
  const at::Tensor in = targets.contiguous();
  at::Tensor out = at::empty_like(in);
  kernels::device_kernels().disturb_values(device_number(in), in.const_data_ptr(),
                                           out.mutable_data_ptr(), in.numel(),
                                           element_type(in.scalar_type()), yes, sigma, stream);
  return out;
}

}  // namespace detail

/// DisturbValue: trains a regression on targets of which a random part is noisy, newly chosen for
/// every batch.
///
/// In training mode, for each target y on its own,
///
///     y <- y + N(0, sigma^2)   with probability alpha / 100
///     y <- y                   otherwise
///
/// The probability is exact to 2^-32. In eval mode targets pass unchanged. Element i of the n-th
/// call is disturbed by a function of (seed, n, i) alone; without a seed, by one of (the number
/// drawn from LibTorch's generator, i). The number of threads, the instruction set and the device
/// change nothing, but for the noise's last places (in float64) where our CUDA kernel makes it.
///
///     rt::DisturbValue disturb_value(/*alpha=*/10, /*sigma=*/0.5);
///     loss = torch::mse_loss(model(x), disturb_value(targets));
///
/// Source: Kim, Lukashonak, Tarepakdee, Zavalich, Arif, "Disturbing target values for neural
/// network regularization", 2021, arXiv:2110.05003.
class DisturbValueImpl : public torch::nn::Cloneable<DisturbValueImpl> {
 public:
  /// @throws c10::ValueError if alpha is outside [0, 100], or sigma is negative or not finite
  explicit DisturbValueImpl(DisturbValueOptions options)
      : options_(options), keys_(options.seed()) {
    const double alpha = options_.alpha();
    const double sigma = options_.sigma();
    TORCH_CHECK_VALUE(alpha >= 0 && alpha <= 100,
                      "DisturbValue: wanted alpha in [0, 100] percent, got ", alpha);
    TORCH_CHECK_VALUE(sigma >= 0 && std::isfinite(sigma),
                      "DisturbValue: wanted a finite sigma of at least 0, got ", sigma);
  }
  /// The same for DisturbValueOptions(alpha, sigma).
  DisturbValueImpl(double alpha, double sigma)
      : DisturbValueImpl(DisturbValueOptions(alpha, sigma)) {}

  /// For torch::nn::Cloneable: there are no weights.
  void reset() override {}
  /// Writes the name and the options.
  void pretty_print(std::ostream& stream) const override {
    stream << "regtorch::DisturbValue(alpha=" << options_.alpha() << ", sigma=" << options_.sigma()
           << ")";
  }

  /// @param targets  float64, float32, bfloat16 or float16, any shape and strides
  /// @return new targets of the same type, shape and device, each sum made in float64 and
  ///         converted as Tensor::to does; in eval mode, or for alpha 0 or sigma 0, the same tensor
  /// @throws c10::ValueError for another type
  at::Tensor forward(const at::Tensor& targets) {
    TORCH_CHECK_VALUE(
        targets.defined() &&
            (targets.scalar_type() == at::kDouble || targets.scalar_type() == at::kFloat ||
             targets.scalar_type() == at::kBFloat16 || targets.scalar_type() == at::kHalf),
        "DisturbValue: wanted targets of type Double, Float, BFloat16 or Half, got ",
        describe(targets));
    if (!is_training() || options_.alpha() == 0 || options_.sigma() == 0) {
      return targets;
    }
    const kernels::RandomStream stream = keys_.next().stream(Purpose::kDisturbValue);
    if (!(at::GradMode::is_enabled() && targets.requires_grad())) {
      if (targets.is_cpu()) {
        return disturb(targets.contiguous(), stream);
      }
      if (targets.is_cuda() && kernels::device_kernels().disturb_values != nullptr) {
        return detail::disturbed_on_device(targets, kernels::threshold(options_.alpha() / 100),
                                           options_.sigma(), stream);
      }
    }
    // The noise does not depend on the targets: the CPU draws it for any device, without waiting
    // for that. Disturbing -0.0 gives -0.0 where a target is kept: what changes no number that it
    // is added to, a zero's sign included.
    const at::Tensor noise = disturb(at::full(targets.sizes(), -0.0, at::kDouble), stream);
    return (targets.to(at::kDouble) + noise.to(targets.device(), /*non_blocking=*/true))
        .to(targets.scalar_type());
  }

  /// As given.
  const DisturbValueOptions& options() const { return options_; }

  /// "calls", int64 [1]: how many calls drew from the seed given, for a checkpoint.
  TensorDict state_dict() const { return keys_.state_dict(); }
  /// Goes on with the call at which state_dict() was called.
  /// @throws c10::Error, with nothing changed, if `state` is not what that gives
  void load_state_dict(const TensorDict& state) { keys_.load_state_dict("DisturbValue", state); }

 private:
  /// `in`, contiguous on the CPU, disturbed.
  at::Tensor disturb(const at::Tensor& in, kernels::RandomStream stream) const {
    // 2,048 elements take from 5 us (alpha 0) to 80 us (alpha 100): worth a thread's wake-up.
    constexpr std::int64_t kElementsInBlock = 16 * kernels::kPhiloxGroup;
    const kernels::Isa isa = kernels::active_isa();
    const std::uint64_t yes = kernels::threshold(options_.alpha() / 100);
    at::Tensor out = at::empty_like(in);
    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::kBFloat16, at::kHalf, in.scalar_type(), "DisturbValue", [&] {
          const auto* from = in.const_data_ptr<scalar_t>();
          auto* to = out.mutable_data_ptr<scalar_t>();
          parallel_for(in.numel(), kElementsInBlock, [&](std::int64_t begin, std::int64_t end) {
            kernels::disturb_values(from, to, begin, end, yes, options_.sigma(), stream, isa);
          });
        });
    return out;
  }

  DisturbValueOptions options_;
  detail::CallKeys keys_;
};

TORCH_MODULE(DisturbValue);

}  // namespace regtorch
