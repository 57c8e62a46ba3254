#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>

#include "regtorch/core/autocast.hpp"
#include "regtorch/core/module.hpp"
#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/training/batch_range.hpp"

namespace regtorch {

/// How well a model does on some data.
struct Evaluation {
  double loss = 0;      ///< mean over samples
  double accuracy = 0;  ///< share of samples whose largest logit is the label's (of soft labels:
                        ///< the likeliest one's), in [0, 1]
  std::int64_t samples = 0;  ///< how many there were
};

namespace detail {

/// Sums over batches, kept on the batches' device so that nothing waits for it.
class EvaluationSums {
 public:
  /// @param loss    the batch's mean loss
  /// @param logits  [B,C]
  /// @param labels  int64 [B], or probabilities [B,C]
  void add(const at::Tensor& loss, const at::Tensor& logits, const at::Tensor& labels) {
    const std::int64_t size = labels.size(0);
    const at::Tensor weighted = loss.detach().to(at::kDouble) * static_cast<double>(size);
    const at::Tensor classes = labels.dim() == 2 ? labels.argmax(1) : labels;
    add(weighted, logits.detach().argmax(1).eq(classes).sum(), size);
  }
  /// What others have summed up.
  void add(const EvaluationSums& others) { add(others.loss_, others.correct_, others.samples_); }
  /// @throws c10::Error if nothing was added
  Evaluation mean() const {
    TORCH_CHECK(samples_ > 0, "wanted at least one batch, got none");
    const auto count = static_cast<double>(samples_);
    return {loss_.item<double>() / count,
            static_cast<double>(correct_.item<std::int64_t>()) / count, samples_};
  }

  /// "loss", float64 [1]; "counts", int64 [2]: correct, samples.
  TensorDict state_dict() const {
    TensorDict state;
    state.insert("loss", to_tensor(std::vector{loss_.item<double>()}));
    state.insert("counts", to_tensor(std::vector{correct_.item<std::int64_t>(), samples_}));
    return state;
  }
  /// @throws c10::Error, with nothing changed, if `state` is not what state_dict() gives
  void load_state_dict(const TensorDict& state) {
    const StateReader reader("EvaluationSums", state);
    const auto counts = reader.counts("counts", 2);
    loss_ = at::scalar_tensor(reader.doubles("loss", 1)[0], at::kDouble);
    correct_ = at::scalar_tensor(counts[0], at::kLong);
    samples_ = counts[1];
  }

 private:
  void add(const at::Tensor& loss, const at::Tensor& correct, std::int64_t samples) {
    loss_ = samples_ == 0 ? loss : loss_ + loss;
    correct_ = samples_ == 0 ? correct : correct_ + correct;
    samples_ += samples;
  }

  at::Tensor loss_;
  at::Tensor correct_;
  std::int64_t samples_ = 0;
};

/// The device that a model's parameters are on.
inline c10::Device device_of(const torch::nn::Module& module) {
  const auto parameters = module.parameters();
  return parameters.empty() ? c10::Device(c10::kCPU) : parameters.front().device();
}

}  // namespace detail

/// The mean loss and the accuracy of a model on some batches, without gradients and in eval mode;
/// afterwards each of its modules is back in the mode it was in, also if something throws.
///
/// @param model      a model (see core/module.hpp)
/// @param batches    see batch_range.hpp
/// @param criterion  callable (logits, labels) -> mean loss
/// @param autocast   compute in this type, as TrainerOptions::autocast; default as the weights
/// @throws c10::Error if there are no batches
template <class Model, BatchRange Batches, class Criterion>
Evaluation evaluate(Model& model, Batches&& batches, Criterion&& criterion,
                    std::optional<c10::ScalarType> autocast = std::nullopt) {
  torch::nn::Module& module = module_of(model);
  const KeepMode keep_mode(module);
  const at::NoGradGuard no_grad;
  module.eval();
  const c10::DeviceType device = detail::device_of(module).type();
  detail::EvaluationSums sums;
  for (auto& batch : batches) {
    const Autocast region(device, autocast);
    const at::Tensor logits = forward(model, batch.images);
    sums.add(criterion(logits, batch.labels), logits, batch.labels);
  }
  return sums.mean();
}

}  // namespace regtorch
