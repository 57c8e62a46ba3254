// image_pipeline: RandomCrop(32, 4), RandomHorizontalFlip, Normalize on 1,024 images, uint8 on the
// device to float. mixup, cutmix: on 1,024 float images. The decisions of a pipeline are made on
// the CPU before its kernel is launched: the device waits for them, and that is in its time.

#include <cstdint>
#include <optional>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "device_timer.hpp"
#include "regtorch/transforms/mixing.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace {

namespace rt = regtorch;

constexpr std::int64_t kImages = 1024;
constexpr std::int64_t kSide = 32;
constexpr std::int64_t kPadding = 4;
constexpr std::int64_t kValues = kImages * 3 * kSide * kSide;

/// @param make   the input
/// @param bytes  that must be moved
void add(const std::string& piece, const std::string& variant, const std::string& dtype,
         std::int64_t bytes, auto make, auto work) {
  const std::string name =
      c10::str(piece, "/", variant, "/", kImages, "x3x", kSide, "x", kSide, "/", dtype);
  const auto body = [=](benchmark::State& state) mutable {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(0);
    const torch::Tensor input = make();
    rt::bench::DeviceTimer().run(state, bytes, [&] { work(input); });
  };
  benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

torch::Tensor bytes_of_images() {
  return torch::randint(0, 256, {kImages, 3, kSide, kSide},
                        torch::dtype(torch::kByte).device(torch::kCUDA));
}

/// The whole batch at once: pad, gather by index, convert.
torch::Tensor aten_pipeline(const torch::Tensor& input, torch::ScalarType dtype) {
  constexpr std::int64_t kPadded = kSide + 2 * kPadding;
  const auto on_device = torch::dtype(torch::kLong).device(torch::kCUDA);
  const auto padded = torch::constant_pad_nd(input, {kPadding, kPadding, kPadding, kPadding});
  const auto steps = torch::arange(kSide, on_device);
  const auto top = torch::randint(0, 2 * kPadding + 1, {kImages, 1, 1}, on_device);
  const auto left = torch::randint(0, 2 * kPadding + 1, {kImages, 1, 1}, on_device);
  const auto flip = torch::rand({kImages, 1, 1}, torch::kCUDA) < 0.5;
  const auto rows = top + steps.view({1, kSide, 1});
  const auto columns = left + torch::where(flip, kSide - 1 - steps, steps);
  const auto index = (rows * kPadded + columns).view({kImages, 1, kSide * kSide});
  return padded.flatten(2)
      .gather(2, index.expand({kImages, 3, kSide * kSide}))
      .view({kImages, 3, kSide, kSide})
      .to(torch::kFloat)
      .mul_(1 / (255 * 0.5))
      .sub_(1)
      .to(dtype);
}

void add_pipelines(torch::ScalarType dtype, const std::string& dtype_name) {
  const auto size = static_cast<std::int64_t>(c10::elementSize(dtype));
  const std::int64_t bytes = kValues * (1 + size);
  const auto add_pipeline = [&](const std::string& variant, auto work) {
    add("image_pipeline", variant, dtype_name, bytes, bytes_of_images, work);
  };
  const rt::transforms::Pipeline augment{
      rt::transforms::RandomCrop(kSide, kPadding), rt::transforms::RandomHorizontalFlip(),
      rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})};
  const auto add_ours = [&](const std::string& variant, torch::MemoryFormat memory_format) {
    add_pipeline(variant, [=, pass = std::uint64_t{0}](const auto& x) mutable {
      augment(x, rt::Key{0, pass++}, torch::arange(kImages), {dtype, memory_format});
    });
  };
  add_ours("regtorch", torch::MemoryFormat::Contiguous);
  add_ours("regtorch_channels_last", torch::MemoryFormat::ChannelsLast);
  add_pipeline("aten", [=](const auto& x) { aten_pipeline(x, dtype); });
  // As many bytes, half of them read and half of them written.
  add_pipeline("copy", [=](const auto& x) { x.repeat({(1 + size) / 2, 1, 1, 1}); });
}

const int registered = [] {
  add_pipelines(torch::kFloat, "float32");
  add_pipelines(torch::kBFloat16, "bfloat16");

  const auto floats = [] { return torch::randn({kImages, 3, kSide, kSide}, torch::kCUDA); };
  const std::int64_t bytes = 2 * kValues * static_cast<std::int64_t>(sizeof(float));
  const rt::kernels::Mixture mixup{.own = 0.7, .box = std::nullopt};
  const rt::kernels::Mixture cutmix{.own = 0.75, .box = rt::kernels::ImageBox{8, 24, 8, 24}};
  const auto add_mix = [&](const std::string& piece, const std::string& variant, auto work) {
    add(piece, variant, "float32", bytes, floats, work);
  };
  add_mix("mixup", "regtorch", [=](const auto& x) { rt::transforms::mix_images(x, mixup); });
  add_mix("mixup", "aten", [](const auto& x) { torch::lerp(x.roll(1, 0), x, 0.7); });
  add_mix("mixup", "copy", [](const auto& x) { x.clone(); });
  add_mix("cutmix", "regtorch", [=](const auto& x) { rt::transforms::mix_images(x, cutmix); });
  add_mix("cutmix", "aten", [](const auto& x) {
    const auto inside = [](const torch::Tensor& t) { return t.slice(2, 8, 24).slice(3, 8, 24); };
    auto out = x.clone();
    inside(out).copy_(inside(x).roll(1, 0));
  });
  add_mix("cutmix", "copy", [](const auto& x) { x.clone(); });
  return 0;
}();

}  // namespace
