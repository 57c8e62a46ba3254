// disturb_label: N labels of C classes, int64, alpha 30 percent. Items a second are labels a
// second.

#include "regtorch/labels/disturb_label.hpp"

#include <cstdint>
#include <string>
#include <tuple>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/copy_bytes.hpp"

namespace {

namespace rt = regtorch;

constexpr double kAlpha = 30;

/// The study text's way: an [N,C] table of probabilities, a one-hot sample of it, its maximum.
torch::Tensor reference(const torch::Tensor& labels, std::int64_t classes) {
  const double other = kAlpha / 100 / static_cast<double>(classes);
  const double same = 1 - static_cast<double>(classes - 1) * other;
  const auto table =
      torch::full({labels.size(0), classes}, other).scatter_(1, labels.unsqueeze(1), same);
  // What Python's torch.distributions.OneHotCategorical(table).sample() computes.
  const auto drawn = torch::multinomial(table / table.sum(-1, true), 1, /*replacement=*/true);
  const auto one_hot = torch::one_hot(drawn.squeeze(1), classes).to(table.scalar_type());
  return std::get<1>(one_hot.max(1));
}

/// A decision and a class for each label, by the fastest operators for either.
torch::Tensor aten(const torch::Tensor& labels, std::int64_t classes) {
  return torch::where(torch::rand(labels.sizes()) < kAlpha / 100,
                      torch::randint(classes, labels.sizes(), torch::kLong), labels);
}

/// The limit: every label read once and written once, on all threads.
torch::Tensor copy(const torch::Tensor& labels) {
  const auto out = torch::empty_like(labels);
  rt::bench::copy_bytes(labels.const_data_ptr(), out.mutable_data_ptr(),
                        static_cast<std::int64_t>(labels.nbytes()), 1 << 17);
  return out;
}

void add(std::int64_t size, std::int64_t classes, const std::string& variant, auto disturbed) {
  const std::string name = "disturb_label/" + variant + "/" + std::to_string(size) + "x" +
                           std::to_string(classes) + "/int64";
  const auto body = [=](benchmark::State& state) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    const auto labels = torch::randint(classes, {size}, torch::kLong);
    rt::DisturbLabel disturb(kAlpha, classes);
    for (auto _ : state) {
      benchmark::DoNotOptimize(disturbed(labels, classes, disturb));
    }
    state.SetItemsProcessed(state.iterations() * size);
  };
  benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

const int registered = [] {
  const std::tuple<std::int64_t, std::int64_t> shapes[] = {
      {32, 10}, {1024, 10}, {1'000'000, 10}, {65'536, 1000}};
  for (const auto& [size, classes] : shapes) {
    add(size, classes, "regtorch",
        [](const auto& labels, std::int64_t, auto& disturb) { return disturb(labels); });
    add(size, classes, "aten",
        [](const auto& labels, std::int64_t c, auto&) { return aten(labels, c); });
    add(size, classes, "reference",
        [](const auto& labels, std::int64_t c, auto&) { return reference(labels, c); });
    add(size, classes, "copy",
        [](const auto& labels, std::int64_t, auto&) { return copy(labels); });
  }
  return 0;
}();

}  // namespace
