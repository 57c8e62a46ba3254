// disturb_value: N targets, float32, alpha 10 percent, sigma 0.5. Items a second are targets a
// second.

#include "regtorch/labels/disturb_value.hpp"

#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

namespace {

namespace rt = regtorch;

constexpr double kAlpha = 10;
constexpr double kSigma = 0.5;

/// A decision and a number for each target, by ATen's operators.
torch::Tensor aten(const torch::Tensor& targets) {
  return torch::where(torch::rand_like(targets) < kAlpha / 100,
                      targets + kSigma * torch::randn_like(targets), targets);
}

/// As the source's authors publish it: noise for all targets, of which as many as shall be kept,
/// drawn with replacement, is set to 0. (So more than alpha percent keep it:
/// docs/labels/disturb_value.md.)
torch::Tensor reference(const torch::Tensor& targets) {
  const auto kept =
      static_cast<std::int64_t>((1 - kAlpha / 100) * static_cast<double>(targets.size(0)));
  auto noise = torch::randn_like(targets) * kSigma;
  noise.index_put_({torch::randint(targets.size(0), {kept}, torch::kLong)}, torch::zeros({}));
  return targets + noise;
}

void add(std::int64_t size, const std::string& variant, auto disturbed) {
  const std::string name = "disturb_value/" + variant + "/" + std::to_string(size) + "/float32";
  const auto body = [=](benchmark::State& state) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    const auto targets = torch::randn({size});
    rt::DisturbValue disturb(kAlpha, kSigma);
    for (auto _ : state) {
      benchmark::DoNotOptimize(disturbed(targets, disturb));
    }
    state.SetItemsProcessed(state.iterations() * size);
  };
  benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

const int registered = [] {
  for (const std::int64_t size : {32, 1024, 1'000'000}) {
    add(size, "regtorch", [](const auto& targets, auto& disturb) { return disturb(targets); });
    add(size, "aten", [](const auto& targets, auto&) { return aten(targets); });
    add(size, "reference", [](const auto& targets, auto&) { return reference(targets); });
    add(size, "copy", [](const auto& targets, auto&) { return targets.clone(); });
  }
  return 0;
}();

}  // namespace
