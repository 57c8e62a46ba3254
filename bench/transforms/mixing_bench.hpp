#pragma once

#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/copy_bytes.hpp"

/// What the benchmarks of MixUp and CutMix share.
namespace regtorch::bench {

inline constexpr std::int64_t kSamples = 1024;

struct Samples {
  torch::Tensor images;
  torch::Tensor labels;
};

/// Registers the variants of `piece`: `ours` and `aten` are called with (samples, batch number).
/// `copy` is the limit: the images read once and written once.
template <class Ours, class Aten>
void register_mixing(const std::string& piece, Ours ours, Aten aten) {
  for (const auto dtype : {torch::kFloat, torch::kBFloat16}) {
    for (const bool channels_last : {false, true}) {
      torch::manual_seed(0);
      const Samples samples{torch::randn({kSamples, 3, 32, 32})
                                .to(dtype)
                                .contiguous(channels_last ? at::MemoryFormat::ChannelsLast
                                                          : at::MemoryFormat::Contiguous),
                            torch::randint(10, {kSamples}, torch::kLong)};
      const auto add = [&](const std::string& variant, auto make) {
        const std::string name = piece + "/" + variant + "/1024x3x32x32" +
                                 (channels_last ? "_channels_last/" : "/") +
                                 (dtype == torch::kFloat ? "float32" : "bfloat16");
        benchmark::RegisterBenchmark(name.c_str(),
                                     [=](benchmark::State& state) {
                                       const torch::NoGradGuard no_grad;
                                       std::int64_t batch = 0;
                                       for (auto _ : state) {
                                         benchmark::DoNotOptimize(make(samples, batch++ % 16));
                                       }
                                       state.SetItemsProcessed(state.iterations() * kSamples);
                                     })
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
      };
      add("regtorch", ours);
      add("aten", aten);
      add("copy", [](const Samples& from, std::int64_t) {
        auto to = torch::empty_like(from.images);
        copy_bytes(from.images.const_data_ptr(), to.data_ptr(),
                   static_cast<std::int64_t>(to.nbytes()), 1 << 17);
        return to;
      });
    }
  }
}

}  // namespace regtorch::bench
