#pragma once

#include <ostream>
#include <utility>

#include <ATen/core/Tensor.h>
#include <torch/enum.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include "regtorch/losses/label_smoothing_options.hpp"
#include "regtorch/losses/smoothed_cross_entropy.hpp"

namespace regtorch {

/// Cross entropy with label smoothing: the model is not asked to be certain.
///
/// With K classes, smoothing s and log p = log_softmax(logits), of a sample with target row t
/// (one-hot for an integer target) and class weights w (1 if there are none)
///
///     t'_c = (1 - s) t_c + s / (K - 1) * (1 - t_c)      Spread::kOtherClasses, the default
///     t'_c = (1 - s) t_c + s / K                        Spread::kAllClasses
///     loss = -sum_c t'_c w_c log p_c
///
/// The mean divides the sum of the losses by the number of samples or, for integer targets, by that
/// of those not ignored; with weights, by the sum of their targets' weights. It is nan if there are
/// none. Spread::kAllClasses is torch.nn.functional.cross_entropy(label_smoothing=s). To be
/// differentiated as often as one likes, also by targets that are probabilities.
///
/// Of logits that are not finite: a sample with nan or inf among them, or with -inf alone, has nan
/// as its loss and in all of its gradient. -inf elsewhere rules a class out, p = 0: the loss is inf
/// if a share t'_c > 0 is there and as without that class if t'_c = 0, and the gradient is finite,
/// p_c - t'_c as always. (inf - inf and 0 * inf are nan: so is the loss for a target of -inf to
/// which s leaves no more than to another class, and for -inf on a class of probability or weight
/// 0.) No sample's logits touch another's loss or gradient, and an ignored sample's loss and
/// gradient are 0 whatever its logits.
///
///     rt::LabelSmoothingLoss criterion(rt::LabelSmoothingLossOptions(10).smoothing(0.2));
///     torch::Tensor loss = criterion(logits, labels);
///
/// Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception architecture for
/// computer vision", CVPR 2016 (kAllClasses); the PyTorch study text (kOtherClasses).
class LabelSmoothingLossImpl : public torch::nn::Cloneable<LabelSmoothingLossImpl> {
 public:
  /// @throws c10::ValueError if num_classes is below 1, if smoothing is outside [0, 1] or above 0
  ///         where there is no other class, or if the weight is not floating-point [K]
  explicit LabelSmoothingLossImpl(LabelSmoothingLossOptions options)
      : options_(std::move(options)) {
    detail::check_options(options_);
    reset();
  }

  /// For torch::nn::Cloneable: registers the classes' weights.
  void reset() override {
    if (options_.weight().defined()) {
      // A buffer goes where the module goes. Without a copy, clone() would write into the
      // original's.
      options_.weight(register_buffer("weight", options_.weight().detach().clone()));
    }
  }
  /// Writes the name and the options.
  void pretty_print(std::ostream& stream) const override {
    stream << "regtorch::LabelSmoothingLoss(num_classes=" << options_.num_classes()
           << ", smoothing=" << options_.smoothing() << ", spread="
           << (options_.spread() == Spread::kOtherClasses ? "kOtherClasses" : "kAllClasses") << ")";
  }

  /// @param logits   [N,K] or [N,K,d1,...], with the classes in dimension dim, or [K], one sample
  ///                 whatever dim says; float64, float32, bfloat16 or float16
  /// @param targets  int64, shaped like the logits without the classes' dimension ([N], [N,d1,...],
  ///                 []), in [0, K) or ignore_index; or probabilities, floating-point and shaped
  ///                 like the logits
  /// @return without dimensions or, for torch::kNone, shaped like the integer targets; of the
  ///         logits' type (with probabilities, of what the two types promote to; under autocast, at
  ///         least float32), and computed in at least float32
  /// @throws c10::ValueError for other types, shapes and devices, and for an integer target that is
  ///         neither (on CUDA a device-side assert)
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& targets) {
    return smoothed_cross_entropy(logits, targets, options_);
  }

  /// As given.
  const LabelSmoothingLossOptions& options() const { return options_; }

 private:
  LabelSmoothingLossOptions options_;
};

TORCH_MODULE(LabelSmoothingLoss);

}  // namespace regtorch
