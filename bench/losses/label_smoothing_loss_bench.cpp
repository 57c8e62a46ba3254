// label_smoothing_loss: forward and backward of the mean over a batch, smoothing 0.1.

#include "regtorch/losses/label_smoothing_loss.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/copy_bytes.hpp"

namespace {

namespace rt = regtorch;
namespace functional = torch::nn::functional;

constexpr double kSmoothing = 0.1;

/// Logits and labels of one shape.
struct Batch {
  std::int64_t rows;
  std::int64_t classes;
  torch::ScalarType dtype;

  torch::Tensor logits() const {
    torch::manual_seed(0);
    return (torch::randn({rows, classes}) * 3).to(dtype).requires_grad_();
  }
  torch::Tensor targets() const {
    torch::manual_seed(1);
    return torch::randint(classes, {rows}, torch::kLong);
  }
  double other() const { return kSmoothing / static_cast<double>(classes - 1); }
};

/// `loss(logits, targets)`, and its gradient, which goes before the next turn as optimizers let it.
void run(benchmark::State& state, const Batch& batch, const auto& loss) {
  auto logits = batch.logits();
  const auto targets = batch.targets();
  for (auto _ : state) {
    loss(logits, targets).backward();
    benchmark::DoNotOptimize(logits.grad().const_data_ptr());
    logits.mutable_grad() = torch::Tensor();
  }
  state.SetItemsProcessed(state.iterations() * batch.rows);
}

torch::Tensor by_module(const Batch& batch, const torch::Tensor& x, const torch::Tensor& y) {
  static rt::LabelSmoothingLoss criterion{nullptr};
  if (!criterion || criterion->options().num_classes() != batch.classes) {
    criterion =
        rt::LabelSmoothingLoss(rt::LabelSmoothingLossOptions(batch.classes).smoothing(kSmoothing));
  }
  return criterion(x, y);
}

/// log_softmax, the labels' elements picked, and one sum over all: what this loss was made of.
torch::Tensor by_gather(const Batch& batch, const torch::Tensor& x, const torch::Tensor& y) {
  const auto log_p = torch::log_softmax(x, 1, torch::kFloat);
  const auto picked = log_p.gather(1, y.unsqueeze(1)).sum();
  const double scale = (1 - kSmoothing - batch.other()) / static_cast<double>(batch.rows);
  return picked * -scale - log_p.sum() * (batch.other() / static_cast<double>(batch.rows));
}

/// The same with nll_loss in the place of gather.
torch::Tensor by_nll(const Batch& batch, const torch::Tensor& x, const torch::Tensor& y) {
  const auto log_p = torch::log_softmax(x, 1, torch::kFloat);
  return torch::nll_loss(log_p, y) * (1 - kSmoothing - batch.other()) -
         log_p.sum() * (batch.other() / static_cast<double>(batch.rows));
}

/// The same with each row's mean, as it is mostly written.
torch::Tensor by_mean(const Batch& batch, const torch::Tensor& x, const torch::Tensor& y) {
  const auto log_p = torch::log_softmax(x, -1, torch::kFloat);
  const auto picked = -log_p.gather(-1, y.unsqueeze(1)).squeeze(1);
  const auto smooth = -log_p.mean(-1);
  const double share = batch.other() * static_cast<double>(batch.classes);
  return (picked * (1 - share) + smooth * share).mean();
}

/// The study text's: a target row of each sample.
torch::Tensor reference(const Batch& batch, const torch::Tensor& x, const torch::Tensor& y) {
  const auto log_p = torch::log_softmax(x, -1);
  torch::Tensor target;
  {
    const torch::NoGradGuard no_grad;
    target = torch::zeros_like(log_p);
    target.fill_(batch.other());
    target.scatter_(1, y.unsqueeze(1), 1 - kSmoothing);
  }
  return torch::mean(torch::sum(-target * log_p, -1));
}

torch::Tensor cross_entropy(const torch::Tensor& x, const torch::Tensor& y) {
  return functional::cross_entropy(
      x, y, functional::CrossEntropyFuncOptions().label_smoothing(kSmoothing));
}

/// The limit: the logits read once and a gradient written once, on all threads.
void copy_variant(benchmark::State& state, const Batch& batch) {
  const auto logits = batch.logits().detach();
  const auto bytes = static_cast<std::int64_t>(logits.nbytes());
  for (auto _ : state) {
    const auto gradient = torch::empty_like(logits);
    rt::bench::copy_bytes(logits.const_data_ptr(), gradient.mutable_data_ptr(), bytes, 1 << 16);
    benchmark::DoNotOptimize(gradient.const_data_ptr());
  }
  state.SetItemsProcessed(state.iterations() * batch.rows);
}

const int registered = [] {
  const Batch batches[] = {{32, 10, torch::kFloat},        {1024, 10, torch::kFloat},
                           {65536, 10, torch::kFloat},     {4096, 1000, torch::kFloat},
                           {4096, 1000, torch::kBFloat16}, {512, 50257, torch::kFloat},
                           {512, 50257, torch::kBFloat16}};
  for (const Batch& batch : batches) {
    const std::string shape = c10::str("/", batch.rows, "x", batch.classes,
                                       batch.dtype == torch::kFloat ? "/float32" : "/bfloat16");
    const auto add = [&](const std::string& variant, auto body) {
      benchmark::RegisterBenchmark(c10::str("label_smoothing_loss/", variant, shape).c_str(), body)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    };
    const auto add_loss = [&](const std::string& variant, auto loss) {
      add(variant, [=](benchmark::State& state) {
        run(state, batch, [&](const auto& x, const auto& y) { return loss(batch, x, y); });
      });
    };
    add_loss("regtorch", by_module);
    add_loss("aten_gather", by_gather);
    add_loss("aten", by_nll);
    add_loss("aten_mean", by_mean);
    add_loss("cross_entropy",
             [](const Batch&, const auto& x, const auto& y) { return cross_entropy(x, y); });
    add_loss("reference", reference);
    add("copy", [batch](benchmark::State& state) { copy_variant(state, batch); });
  }
  return 0;
}();

}  // namespace
