// disturb_label: N labels of 10 classes, int64, alpha 30 percent. disturb_value: N targets,
// float32, alpha 10 percent, sigma 0.5.

#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "device_timer.hpp"
#include "regtorch/labels/disturb_label.hpp"
#include "regtorch/labels/disturb_value.hpp"

namespace {

namespace rt = regtorch;

/// @param input  made by make(), of which `work(input)` reads and writes each byte once
void add(const std::string& name, auto make, auto work) {
  const auto body = [=](benchmark::State& state) mutable {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    const torch::Tensor input = make();
    rt::bench::DeviceTimer().run(state, 2 * static_cast<std::int64_t>(input.nbytes()),
                                 [&] { work(input); });
  };
  benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

const int registered = [] {
  constexpr std::int64_t kClasses = 10;
  for (const std::int64_t size : {1'000'000, 100'000'000}) {
    const auto labels = [=] {
      return torch::randint(kClasses, {size}, torch::dtype(torch::kLong).device(torch::kCUDA));
    };
    const auto label_name = [&](const std::string& variant) {
      return c10::str("disturb_label/", variant, "/", size, "x", kClasses, "/int64");
    };
    add(label_name("regtorch"), labels,
        [disturb = rt::DisturbLabel(30, kClasses)](const auto& x) mutable { disturb->forward(x); });
    add(label_name("aten"), labels, [](const auto& x) {
      torch::where(torch::rand(x.sizes(), torch::kCUDA) < 0.3, torch::randint_like(x, kClasses), x);
    });
    add(label_name("copy"), labels, [](const auto& x) { x.clone(); });

    const auto values = [=] { return torch::randn({size}, torch::kCUDA); };
    const auto value_name = [&](const std::string& variant) {
      return c10::str("disturb_value/", variant, "/", size, "/float32");
    };
    add(value_name("regtorch"), values,
        [disturb = rt::DisturbValue(10, 0.5)](const auto& x) mutable { disturb->forward(x); });
    add(value_name("aten"), values, [](const auto& x) {
      torch::where(torch::rand_like(x) < 0.1, x + 0.5 * torch::randn_like(x), x);
    });
    add(value_name("copy"), values, [](const auto& x) { x.clone(); });
  }
  return 0;
}();

}  // namespace
