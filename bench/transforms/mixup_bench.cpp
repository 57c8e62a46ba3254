// mixup: MixUp of 1,024 images and their labels. Items a second are images a second.

#include "regtorch/transforms/mixup.hpp"

#include "mixing_bench.hpp"

namespace {

namespace rt = regtorch;
using regtorch::bench::Samples;

/// The same from LibTorch's operators; in one lerp, into a layout kept.
rt::transforms::Mixed aten(const Samples& samples, double lambda) {
  const auto targets = torch::one_hot(samples.labels, 10).to(torch::kFloat);
  return {torch::lerp(samples.images.roll(1, 0), samples.images, lambda),
          torch::lerp(targets.roll(1, 0), targets, lambda)};
}

const int registered = [] {
  const rt::transforms::MixUp mix(10);
  regtorch::bench::register_mixing(
      "mixup",
      [=](const Samples& samples, std::int64_t batch) {
        return mix(samples.images, samples.labels, rt::Key{0}, batch);
      },
      [=](const Samples& samples, std::int64_t batch) {
        return aten(samples, mix.lambda(rt::Key{0}, batch));
      });
  return 0;
}();

}  // namespace
