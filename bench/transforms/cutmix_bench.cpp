// cutmix: CutMix of 1,024 images and their labels. Items a second are images a second.

#include "regtorch/transforms/cutmix.hpp"

#include "mixing_bench.hpp"

namespace {

namespace rt = regtorch;
using regtorch::bench::Samples;

/// The same from LibTorch's operators: a copy, and the box alone rolled.
rt::transforms::Mixed aten(const Samples& samples, const rt::kernels::ImageBox& box) {
  const auto cut = [&](const torch::Tensor& of) {
    return of.slice(2, box.top, box.bottom).slice(3, box.left, box.right);
  };
  auto mixed = samples.images.clone();
  cut(mixed).copy_(cut(samples.images).roll(1, 0));
  const double kept =
      1 - static_cast<double>((box.bottom - box.top) * (box.right - box.left)) / (32 * 32);
  const auto targets = torch::one_hot(samples.labels, 10).to(torch::kFloat);
  return {mixed, torch::lerp(targets.roll(1, 0), targets, kept)};
}

const int registered = [] {
  const rt::transforms::CutMix mix(10);
  regtorch::bench::register_mixing(
      "cutmix",
      [=](const Samples& samples, std::int64_t batch) {
        return mix(samples.images, samples.labels, rt::Key{0}, batch);
      },
      [=](const Samples& samples, std::int64_t batch) {
        return aten(samples, mix.box(rt::Key{0}, batch, 32, 32));
      });
  return 0;
}();

}  // namespace
