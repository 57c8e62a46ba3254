// label_smoothing_loss: forward and backward of the mean over a batch, smoothing 0.1 over all
// classes. Bytes: the logits read twice, the gradient written once.

#include "regtorch/losses/label_smoothing_loss.hpp"

#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "device_timer.hpp"

namespace {

namespace rt = regtorch;
namespace functional = torch::nn::functional;

constexpr double kSmoothing = 0.1;

struct Batch {
  std::int64_t rows;
  std::int64_t classes;
  torch::ScalarType dtype;
};

/// @param work  of the logits, which want a gradient, and the labels
void add(const Batch& batch, const std::string& variant, auto work) {
  const std::string name =
      c10::str("label_smoothing_loss/", variant, "/", batch.rows, "x", batch.classes,
               batch.dtype == torch::kFloat ? "/float32" : "/bfloat16");
  const auto body = [=](benchmark::State& state) mutable {
    torch::manual_seed(0);
    auto logits = (torch::randn({batch.rows, batch.classes}, torch::kCUDA) * 3)
                      .to(batch.dtype)
                      .requires_grad_();
    const auto targets = torch::randint(batch.classes, {batch.rows},
                                        torch::dtype(torch::kLong).device(torch::kCUDA));
    rt::bench::DeviceTimer().run(state, 3 * static_cast<std::int64_t>(logits.nbytes()), [&] {
      work(logits, targets);
      logits.mutable_grad() = torch::Tensor();
    });
  };
  benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

const int registered = [] {
  const Batch batches[] = {{65536, 10, torch::kFloat},     {4096, 1000, torch::kFloat},
                           {4096, 1000, torch::kBFloat16}, {512, 50257, torch::kFloat},
                           {512, 50257, torch::kBFloat16}, {8192, 50257, torch::kBFloat16}};
  for (const Batch& batch : batches) {
    add(batch, "regtorch",
        [criterion = rt::LabelSmoothingLoss(rt::LabelSmoothingLossOptions(batch.classes)
                                                .smoothing(kSmoothing)
                                                .spread(rt::Spread::kAllClasses))](
            const auto& x, const auto& y) mutable { criterion->forward(x, y).backward(); });
    add(batch, "aten", [](const auto& x, const auto& y) {
      const auto log_p = torch::log_softmax(x, 1, torch::kFloat);
      (torch::nll_loss(log_p, y) * (1 - kSmoothing) - log_p.mean() * kSmoothing).backward();
    });
    add(batch, "cross_entropy", [](const auto& x, const auto& y) {
      functional::cross_entropy(x, y,
                                functional::CrossEntropyFuncOptions().label_smoothing(kSmoothing))
          .backward();
    });
    // The limit: twice the logits read, once a gradient written.
    add(batch, "copy", [](const auto& x, const auto&) {
      const torch::NoGradGuard no_grad;
      x.sum();
      x.clone();
    });
  }
  return 0;
}();

}  // namespace
