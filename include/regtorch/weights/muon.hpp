#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>
#include <torch/arg.h>
#include <torch/optim/optimizer.h>
#include <torch/optim/serialize.h>
#include <torch/serialize/archive.h>

#include "regtorch/core/check.hpp"
#include "regtorch/weights/newton_schulz.hpp"

namespace regtorch {

/// What the learning rate of a Muon is multiplied by, for a parameter of [rows, columns].
enum class MuonRate : std::int64_t {
  kPlain,          ///< 1
  kOriginal,       ///< sqrt(max(1, rows / columns))
  kMatchRmsAdamW,  ///< 0.2 sqrt(max(rows, columns)): updates as large as AdamW's
};

/// How a Muon steps.
struct MuonOptions : torch::optim::OptimizerCloneableOptions<MuonOptions> {
  /// @param lr  the learning rate, at least 0; default 1e-3
  explicit MuonOptions(double lr = 1e-3) : lr_(lr) {}

  /// As given.
  TORCH_ARG(double, lr);
  /// Decoupled, as AdamW's; at least 0; default 0.1.
  TORCH_ARG(double, weight_decay) = 0.1;
  /// In [0, 1); default 0.95.
  TORCH_ARG(double, momentum) = 0.95;
  /// Whether the momentum looks ahead; default true.
  TORCH_ARG(bool, nesterov) = true;
  /// Steps of newton_schulz, at least 0; default 5.
  TORCH_ARG(std::int64_t, ns_steps) = 5;
  /// Of newton_schulz, and the least norm that normalize_weights divides by; default 1e-7.
  TORCH_ARG(double, eps) = 1e-7;
  /// What the learning rate is multiplied by; default as in the original.
  TORCH_ARG(MuonRate, rate) = MuonRate::kOriginal;
  /// Whether each parameter is scaled to the norm sqrt(rows) before its step, so that the learning
  /// rate alone says how far its direction moves; default false.
  TORCH_ARG(bool, normalize_weights) = false;

 public:
  /// @{
  /// What an Optimizer calls.
  void serialize(torch::serialize::InputArchive& archive) override {
    c10::IValue value;
    const auto read = [&](const char* name) -> const c10::IValue& {
      archive.read(name, value);
      return value;
    };
    lr_ = read("lr").toDouble();
    weight_decay_ = read("weight_decay").toDouble();
    momentum_ = read("momentum").toDouble();
    nesterov_ = read("nesterov").toBool();
    ns_steps_ = read("ns_steps").toInt();
    eps_ = read("eps").toDouble();
    rate_ = static_cast<MuonRate>(read("rate").toInt());
    normalize_weights_ = read("normalize_weights").toBool();
  }
  void serialize(torch::serialize::OutputArchive& archive) const override {
    archive.write("lr", c10::IValue(lr_));
    archive.write("weight_decay", c10::IValue(weight_decay_));
    archive.write("momentum", c10::IValue(momentum_));
    archive.write("nesterov", c10::IValue(nesterov_));
    archive.write("ns_steps", c10::IValue(ns_steps_));
    archive.write("eps", c10::IValue(eps_));
    archive.write("rate", c10::IValue(static_cast<std::int64_t>(rate_)));
    archive.write("normalize_weights", c10::IValue(normalize_weights_));
  }
  double get_lr() const override { return lr_; }
  void set_lr(const double lr) override { lr_ = lr; }
  /// @}
};

/// What a Muon keeps of a parameter.
struct MuonParamState : torch::optim::OptimizerCloneableParamState<MuonParamState> {
  /// As large as the parameter.
  TORCH_ARG(at::Tensor, momentum_buffer);

 public:
  /// @{
  /// What an Optimizer calls.
  void serialize(torch::serialize::InputArchive& archive) override {
    archive.read("momentum_buffer", momentum_buffer_);
  }
  void serialize(torch::serialize::OutputArchive& archive) const override {
    archive.write("momentum_buffer", momentum_buffer_);
  }
  /// @}
};

/// Muon, for the matrices inside a network (convolutions included): a step of momentum whose
/// direction is made orthogonal, so that no direction in the space of weights is favoured. With
/// gradient g, B = 0 at first:
///
///     B <- momentum B + (1 - momentum) g
///     u <- (1 - momentum) g + momentum B        without nesterov  u <- B
///     p <- (1 - lr weight_decay) p
///     p <- p - lr rate newton_schulz(u)
///
/// A parameter [out, d1, d2, ...] is the matrix [out, d1 d2 ...]. Biases, norms and the last layer
/// belong to another optimizer; parameters without a gradient are left alone.
///
///     rt::Muon muon(filters, rt::MuonOptions(0.02));
///     torch::optim::SGD sgd(others, torch::optim::SGDOptions(0.05).momentum(0.85).nesterov(true));
///
/// torch::save and torch::load, a Trainer and the learning-rate schedules take it as they take
/// torch::optim's. It is torch.optim.Muon of Python, and takes more than two dimensions.
///
/// Source: Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein, "Muon: an optimizer for hidden
/// layers in neural networks", 2024; rate kMatchRmsAdamW: Liu et al., "Muon is scalable for LLM
/// training", 2025, arXiv:2502.16982; normalize_weights: Jordan's CIFAR-10 speedrun, 2024.
class Muon : public torch::optim::Optimizer {
 public:
  /// @throws c10::ValueError for an option out of range, of the defaults or of a group, and for a
  ///         parameter that is no floating-point tensor of two dimensions or more
  explicit Muon(const std::vector<torch::optim::OptimizerParamGroup>& param_groups,
                MuonOptions defaults = MuonOptions())
      : Optimizer(param_groups, std::make_unique<MuonOptions>(std::move(defaults))) {
    for (const auto& group : this->param_groups()) {
      check(group);
    }
  }
  /// The same for one group.
  explicit Muon(std::vector<at::Tensor> parameters, MuonOptions defaults = MuonOptions())
      : Muon(std::vector{torch::optim::OptimizerParamGroup(std::move(parameters))},
             std::move(defaults)) {}

  /// One step.
  /// @param closure  computes the loss and the gradients first; default: they are there already
  /// @return what the closure returned
  /// @throws what the constructor throws, for a group that was added since
  at::Tensor step(LossClosure closure = nullptr) override {
    at::Tensor loss;
    if (closure != nullptr) {
      const at::AutoGradMode with_grad(true);
      loss = closure();
    }
    const at::NoGradGuard no_grad;
    for (auto& group : param_groups()) {
      check(group);
      const auto& options = static_cast<const MuonOptions&>(group.options());
      for (at::Tensor& parameter : group.params()) {
        if (parameter.grad().defined()) {
          advance(parameter, options);
        }
      }
    }
    return loss;
  }

  /// @{
  /// What torch::save and torch::load call.
  void save(torch::serialize::OutputArchive& archive) const override {
    torch::optim::serialize<MuonParamState, MuonOptions>(archive, *this);
  }
  void load(torch::serialize::InputArchive& archive) override {
    torch::optim::serialize<MuonParamState, MuonOptions>(archive, *this);
  }
  /// @}

 private:
  static void check(const torch::optim::OptimizerParamGroup& group) {
    const auto& options = static_cast<const MuonOptions&>(group.options());
    TORCH_CHECK_VALUE(options.lr() >= 0, "Muon: wanted a learning rate of at least 0, got ",
                      options.lr());
    TORCH_CHECK_VALUE(options.weight_decay() >= 0,
                      "Muon: wanted a weight_decay of at least 0, got ", options.weight_decay());
    TORCH_CHECK_VALUE(options.momentum() >= 0 && options.momentum() < 1,
                      "Muon: wanted a momentum in [0, 1), got ", options.momentum());
    TORCH_CHECK_VALUE(options.ns_steps() >= 0 && options.eps() >= 0,
                      "Muon: wanted ns_steps and eps of at least 0, got ", options.ns_steps(),
                      " and ", options.eps());
    for (const at::Tensor& parameter : group.params()) {
      TORCH_CHECK_VALUE(parameter.dim() >= 2 && parameter.is_floating_point(),
                        "Muon: wanted floating-point parameters of two dimensions or more, got ",
                        describe(parameter));
    }
  }

  void advance(at::Tensor& parameter, const MuonOptions& options) {
    const at::Tensor& gradient = parameter.grad();
    TORCH_CHECK_VALUE(gradient.layout() == at::kStrided,
                      "Muon: wanted a dense gradient, got one of ", "layout ", gradient.layout());
    if (gradient.numel() == 0) {
      return;
    }
    auto& entry = state()[parameter.unsafeGetTensorImpl()];
    if (entry == nullptr) {
      auto fresh = std::make_unique<MuonParamState>();
      fresh->momentum_buffer(at::zeros_like(gradient));
      entry = std::move(fresh);
    }
    at::Tensor& buffer = static_cast<MuonParamState&>(*entry).momentum_buffer();
    buffer.lerp_(gradient, 1 - options.momentum());
    const at::Tensor direction =
        options.nesterov() ? gradient.lerp(buffer, options.momentum()) : buffer;

    const std::int64_t rows = parameter.size(0);
    if (options.normalize_weights()) {
      parameter.mul_(std::sqrt(static_cast<double>(rows)) /
                     parameter.norm().clamp_min(options.eps()));
    }
    const at::Tensor update =
        newton_schulz(direction.reshape({rows, -1}), options.ns_steps(), options.eps());
    parameter.mul_(1 - options.lr() * options.weight_decay());
    parameter.add_(update.reshape(parameter.sizes()),
                   -options.lr() * factor(options.rate(), update));
  }

  static double factor(MuonRate rate, const at::Tensor& matrix) {
    const auto rows = static_cast<double>(matrix.size(0));
    const auto columns = static_cast<double>(matrix.size(1));
    switch (rate) {
      case MuonRate::kOriginal:
        return std::sqrt(std::max(1.0, rows / columns));
      case MuonRate::kMatchRmsAdamW:
        return 0.2 * std::sqrt(std::max(rows, columns));
      case MuonRate::kPlain:
        break;
    }
    return 1;
  }
};

}  // namespace regtorch
