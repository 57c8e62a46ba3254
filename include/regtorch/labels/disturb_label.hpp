#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <ostream>

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_assert_async.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/where.h>
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
#include "regtorch/kernels/disturb_label.hpp"

namespace regtorch {

/// How often labels are disturbed, and among how many classes.
struct DisturbLabelOptions {
  /// The options that have no default.
  DisturbLabelOptions(double alpha, std::int64_t num_classes)
      : alpha_(alpha), num_classes_(num_classes) {}

  /// The noise rate in percent, in [0, 100].
  TORCH_ARG(double, alpha);
  /// C, at least 1.
  TORCH_ARG(std::int64_t, num_classes);
  /// Labels of this value stand for "no label" and are left alone; default -100, as in the losses.
  TORCH_ARG(std::int64_t, ignore_index) = -100;
  /// Of the disturbance; default: each call draws one from LibTorch's default CPU generator.
  TORCH_ARG(std::optional<std::uint64_t>, seed);
};

/// What becomes of a label: itself with probability `same`, each other class with `other`.
struct LabelProbabilities {
  double same = 1;   ///< p_same
  double other = 0;  ///< p_other
};

namespace detail {

/// DisturbLabel on any device: the same labels as on the CPU, by ATen's operators.
inline at::Tensor disturbed_by_aten(const at::Tensor& labels, const kernels::DisturbRule& rule,
                                    std::int64_t ignore_index, kernels::RandomStream stream) {
  // What is drawn does not depend on the labels, so the CPU draws it without waiting for them.
  at::Tensor drawn = at::empty(labels.sizes(), at::kLong);
  kernels::draw_labels(drawn.mutable_data_ptr<std::int64_t>(), 0, drawn.numel(), rule, stream,
                       kernels::active_isa());
  drawn = drawn.to(labels.device(), /*non_blocking=*/true).to(labels.scalar_type());
  const at::Scalar classes(static_cast<std::int64_t>(rule.classes));
  const at::Tensor ignored = labels.eq(ignore_index);
  at::_assert_async(labels.ge(0).logical_and(labels.lt(classes)).logical_or(ignored).all());
  return at::where(drawn.eq(classes).logical_or(ignored), labels, drawn);
}

/// The same by a device kernel.
inline at::Tensor disturbed_on_device(const at::Tensor& labels, const kernels::DisturbRule& rule,
                                      std::int64_t ignore_index, kernels::RandomStream stream) {
  const at::Tensor in = labels.contiguous();
  at::Tensor out = at::empty_like(in);
  kernels::device_kernels().disturb_labels(
      device_number(in), in.const_data_ptr(), out.mutable_data_ptr(), in.numel(),
      static_cast<int>(in.element_size()), ignore_index, rule, stream);
  return out;
}

}  // namespace detail

/// DisturbLabel: trains on labels of which a random part is wrong, newly chosen for every batch.
///
/// In training mode each label is drawn anew, uniformly from all C classes, with probability
/// alpha / 100, so that
///
///     p_same  = 1 - (C - 1) / C * alpha / 100
///     p_other = alpha / (100 C)            for each of the C - 1 other classes
///
/// Probabilities are exact to 2^-30. In eval mode labels pass unchanged. Element i of the n-th call
/// is disturbed by a function of (seed, n, i) alone; without a seed, by one of (the number drawn
/// from LibTorch's generator, i). The number of threads, the instruction set and the device change
/// nothing.
///
///     rt::DisturbLabel disturb(/*alpha=*/30, /*num_classes=*/10);
///     loss = criterion(model(images), disturb(labels));
///
/// Source: Xie, Wang, Wei, Wang, Tian, "DisturbLabel: regularizing CNN on the loss layer",
/// CVPR 2016.
class DisturbLabelImpl : public torch::nn::Cloneable<DisturbLabelImpl> {
 public:
  /// @throws c10::ValueError if alpha is outside [0, 100], or positive but less than 32 bits can
  ///         express (100 C / 2^32), or num_classes is outside [1, 2^31)
  explicit DisturbLabelImpl(DisturbLabelOptions options)
      : options_(options), keys_(options.seed()) {
    const double alpha = options_.alpha();
    const std::int64_t classes = options_.num_classes();
    TORCH_CHECK_VALUE(alpha >= 0 && alpha <= 100,
                      "DisturbLabel: wanted alpha in [0, 100] percent, ", "got ", alpha);
    TORCH_CHECK_VALUE(classes >= 1 && classes < (std::int64_t{1} << 31),
                      "DisturbLabel: wanted num_classes in [1, 2^31), got ", classes);
    if (alpha > 0) {
      const auto count = static_cast<std::uint32_t>(classes);
      const double least = 100 * kernels::DisturbRule::least(count);
      TORCH_CHECK_VALUE(alpha >= least, "DisturbLabel: wanted alpha to be 0 or at least ", least,
                        " percent for ", classes, " classes, got ", alpha);
      rule_ = kernels::DisturbRule::make(alpha / 100, count);
    }
  }
  /// The same for DisturbLabelOptions(alpha, num_classes).
  DisturbLabelImpl(double alpha, std::int64_t num_classes)
      : DisturbLabelImpl(DisturbLabelOptions(alpha, num_classes)) {}

  /// For torch::nn::Cloneable: there are no weights.
  void reset() override {}
  /// Writes the name and the options.
  void pretty_print(std::ostream& stream) const override {
    stream << "regtorch::DisturbLabel(alpha=" << options_.alpha()
           << ", num_classes=" << options_.num_classes() << ")";
  }

  /// @param labels  int64 or int32, any shape and strides, each in [0, num_classes) or ignore_index
  /// @return new labels of the same type, shape and device; in eval mode, or for alpha 0, the same
  ///         tensor
  /// @throws c10::ValueError for another type, and for a label out of range (on CUDA a device-side
  ///         assert)
  at::Tensor forward(const at::Tensor& labels) {
    TORCH_CHECK_VALUE(
        labels.defined() && (labels.scalar_type() == at::kLong || labels.scalar_type() == at::kInt),
        "DisturbLabel: wanted labels of type Long (int64) or Int (int32), got ", describe(labels));
    TORCH_CHECK_VALUE(labels.scalar_type() == at::kLong ||
                          options_.ignore_index() == static_cast<int>(options_.ignore_index()),
                      "DisturbLabel: wanted an ignore_index that fits Int labels, got ",
                      options_.ignore_index());
    if (!is_training() || options_.alpha() == 0) {
      return labels;
    }
    const kernels::RandomStream stream = keys_.next().stream(Purpose::kDisturbLabel);
    if (labels.is_cpu()) {
      const at::Tensor in = labels.contiguous();
      at::Tensor out = at::empty_like(in);
      const std::int64_t bad = disturb(in, out, stream);
      TORCH_CHECK_VALUE(bad < 0, "DisturbLabel: wanted labels in [0, ", options_.num_classes(),
                        ") or ", options_.ignore_index(), ", got ",
                        in.flatten()[bad].item<std::int64_t>(), " at place ", bad);
      return out;
    }
    if (labels.is_cuda() && kernels::device_kernels().disturb_labels != nullptr) {
      return detail::disturbed_on_device(labels, rule_, options_.ignore_index(), stream);
    }
    return detail::disturbed_by_aten(labels, rule_, options_.ignore_index(), stream);
  }

  /// What becomes of a label in training mode.
  LabelProbabilities probabilities() const {
    const auto classes = static_cast<double>(options_.num_classes());
    const double share = options_.alpha() / 100;
    return {1 - (classes - 1) / classes * share, share / classes};
  }

  /// As given.
  const DisturbLabelOptions& options() const { return options_; }

  /// "calls", int64 [1]: how many calls drew from the seed given, for a checkpoint.
  TensorDict state_dict() const { return keys_.state_dict(); }
  /// Goes on with the call at which state_dict() was called.
  /// @throws c10::Error, with nothing changed, if `state` is not what that gives
  void load_state_dict(const TensorDict& state) { keys_.load_state_dict("DisturbLabel", state); }

 private:
  /// Disturbs `in`, contiguous on the CPU, into `out`; the first place of an invalid label, or -1.
  std::int64_t disturb(const at::Tensor& in, at::Tensor& out, kernels::RandomStream stream) const {
    // 16,384 labels take about 10 us: worth a thread's wake-up.
    constexpr std::int64_t kLabelsInBlock = 128 * kernels::kPhiloxGroup;
    const kernels::Isa isa = kernels::active_isa();
    std::atomic<std::int64_t> bad{-1};
    AT_DISPATCH_INDEX_TYPES(in.scalar_type(), "DisturbLabel", [&] {
      const auto* from = in.const_data_ptr<index_t>();
      auto* to = out.mutable_data_ptr<index_t>();
      parallel_for(in.numel(), kLabelsInBlock, [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t found = kernels::disturb_labels(
            from, to, begin, end, options_.ignore_index(), rule_, stream, isa);
        // The least of all blocks', whichever ends first.
        for (std::int64_t known = bad; found >= 0 && (known < 0 || found < known);) {
          if (bad.compare_exchange_weak(known, found)) {
            break;
          }
        }
      });
    });
    return bad;
  }

  DisturbLabelOptions options_;
  kernels::DisturbRule rule_;
  detail::CallKeys keys_;
};

TORCH_MODULE(DisturbLabel);

}  // namespace regtorch
