// image_pipeline: RandomCrop(32, 4), RandomHorizontalFlip, Normalize on 1,024 images, uint8 to
// float. image_pipeline_cutout: the same with Cutout(16) before Normalize; image_pipeline_mixup:
// the same and MixUp, in one pass (regtorch) or after it (regtorch_apart). Items a second are
// images a second; variants that end in _1thread run on one.

#include "regtorch/transforms/pipeline.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "regtorch/core/parallel_for.hpp"
#include "regtorch/transforms/cutout.hpp"
#include "regtorch/transforms/mixing.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace {

namespace rt = regtorch;

constexpr std::int64_t kImages = 1024;
constexpr std::int64_t kSide = 32;
constexpr std::int64_t kPadding = 4;
constexpr std::int64_t kHole = 16;

torch::Tensor images() {
  torch::manual_seed(0);
  return torch::randint(0, 256, {kImages, 3, kSide, kSide}, torch::kByte);
}

void run(benchmark::State& state, const auto& transform) {
  const torch::NoGradGuard no_grad;
  for (auto _ : state) {
    benchmark::DoNotOptimize(transform());
  }
  state.SetItemsProcessed(state.iterations() * kImages);
}

void regtorch_variant(benchmark::State& state, const auto& augment,
                      rt::transforms::ImageFormat format) {
  const auto input = images();
  const auto indices = torch::arange(kImages);
  std::uint64_t pass = 0;
  run(state, [&] { return augment(input, rt::Key{0, pass++}, indices, format); });
}

/// Zeros in a square at a random place of each normalised image: Cutout before Normalize fills with
/// black, which costs the same.
torch::Tensor aten_cutout(torch::Tensor x) {
  const auto steps = torch::arange(kSide);
  const auto covered = [&] {
    const auto first = torch::randint(0, kSide, {kImages, 1}) - kHole / 2;
    return (steps >= first).logical_and_(steps < first + kHole);
  };
  const auto hole =
      covered().view({kImages, 1, kSide, 1}).logical_and(covered().view({kImages, 1, 1, kSide}));
  return x.masked_fill_(hole, 0);
}

/// The whole batch at once: pad, gather by index, convert.
torch::Tensor aten_batched(const torch::Tensor& input, torch::ScalarType dtype) {
  constexpr std::int64_t kPadded = kSide + 2 * kPadding;
  const auto padded = torch::constant_pad_nd(input, {kPadding, kPadding, kPadding, kPadding});
  const auto steps = torch::arange(kSide);
  const auto top = torch::randint(0, 2 * kPadding + 1, {kImages, 1, 1});
  const auto left = torch::randint(0, 2 * kPadding + 1, {kImages, 1, 1});
  const auto flip = torch::rand({kImages, 1, 1}) < 0.5;
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

/// The whole batch at once, the way it is mostly written: floats first, then advanced indexing.
torch::Tensor aten_indexing(const torch::Tensor& input, torch::ScalarType dtype) {
  namespace F = torch::nn::functional;
  const auto padded = F::pad(input.to(torch::kFloat).div(255).sub(0.5).div(0.5),
                             F::PadFuncOptions({kPadding, kPadding, kPadding, kPadding}).value(-1));
  const auto steps = torch::arange(kSide);
  const auto top = torch::randint(0, 2 * kPadding + 1, {kImages, 1, 1, 1});
  const auto left = torch::randint(0, 2 * kPadding + 1, {kImages, 1, 1, 1});
  const auto crops = padded.index({torch::arange(kImages).view({-1, 1, 1, 1}),
                                   torch::arange(3).view({1, -1, 1, 1}),
                                   top + steps.view({1, 1, -1, 1}), left + steps});
  const auto flip = torch::rand({kImages, 1, 1, 1}) < 0.5;
  return torch::where(flip, crops.flip(3), crops).to(dtype);
}

/// Image by image, the way of many a training script: slices and flips of bytes, then convert.
torch::Tensor aten_by_image(const torch::Tensor& input, torch::ScalarType dtype) {
  const auto padded = torch::constant_pad_nd(input, {kPadding, kPadding, kPadding, kPadding});
  const auto places = torch::randint(0, 2 * kPadding + 1, {kImages, 2});
  const auto flips = torch::rand({kImages}) < 0.5;
  const auto place = places.accessor<std::int64_t, 2>();
  const auto flip = flips.accessor<bool, 1>();
  auto crops = torch::empty_like(input);
  for (std::int64_t n = 0; n < kImages; ++n) {
    const auto crop = padded.select(0, n)
                          .slice(1, place[n][0], place[n][0] + kSide)
                          .slice(2, place[n][1], place[n][1] + kSide);
    crops.select(0, n).copy_(flip[n] ? crop.flip(2) : crop);
  }
  return crops.to(torch::kFloat).mul_(1 / (255 * 0.5)).sub_(1).to(dtype);
}

/// The limit: every byte read once and every byte written once, on all threads.
void copy_variant(benchmark::State& state, torch::ScalarType dtype) {
  const auto input = images();
  const auto bytes = static_cast<std::int64_t>(c10::elementSize(dtype));
  run(state, [&] {
    const auto output = torch::empty({kImages, 3, kSide, kSide}, dtype);
    const auto* from = input.const_data_ptr<std::uint8_t>();
    auto* to = static_cast<std::uint8_t*>(output.data_ptr());
    constexpr std::int64_t kPixels = 3 * kSide * kSide;
    rt::parallel_for(kImages, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        for (std::int64_t repeat = 0; repeat < bytes; ++repeat) {
          std::memcpy(to + (n * bytes + repeat) * kPixels, from + n * kPixels, kPixels);
        }
      }
    });
    return output;
  });
}

const int registered = [] {
  using Format = at::MemoryFormat;
  const rt::transforms::RandomCrop crop(kSide, kPadding);
  const rt::transforms::RandomHorizontalFlip flip;
  const rt::transforms::Cutout cutout(kHole);
  const rt::transforms::Normalize normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5});
  const rt::transforms::Pipeline plain{crop, flip, normalize};
  const rt::transforms::Pipeline with_cutout{crop, flip, cutout, normalize};
  const auto input = images();
  for (const auto dtype : {torch::kFloat, torch::kBFloat16}) {
    const std::string shape =
        std::string("/1024x3x32x32/") + (dtype == torch::kFloat ? "float32" : "bfloat16");
    const auto add = [&](const std::string& name, auto body) {
      benchmark::RegisterBenchmark((name + shape).c_str(), body)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    };
    const auto add_both = [&](const std::string& name, auto body) {
      add(name, body);
      add(name + "_1thread", [=](benchmark::State& state) {
        const int threads = at::get_num_threads();
        at::set_num_threads(1);
        body(state);
        at::set_num_threads(threads);
      });
    };
    const auto add_ours = [&](const std::string& piece, const auto& augment) {
      for (const auto layout : {Format::Contiguous, Format::ChannelsLast}) {
        add_both(piece + "/regtorch" + (layout == Format::Contiguous ? "" : "_channels_last"),
                 [=](benchmark::State& state) {
                   regtorch_variant(state, augment, {dtype, layout});
                 });
      }
    };
    const auto add_aten = [&](const std::string& name, auto make) {
      add("image_pipeline/" + name, [=](benchmark::State& state) { run(state, make); });
      add("image_pipeline_cutout/" + name,
          [=](benchmark::State& state) { run(state, [&] { return aten_cutout(make()); }); });
    };
    add_ours("image_pipeline", plain);
    add_ours("image_pipeline_cutout", with_cutout);
    add_aten("aten", [=] { return aten_batched(input, dtype); });
    add_aten("aten_indexing", [=] { return aten_indexing(input, dtype); });
    add_aten("aten_by_image", [=] { return aten_by_image(input, dtype); });
    const rt::transforms::ImageFormat format{dtype, Format::Contiguous};
    const rt::kernels::Mixture mixture{0.7, std::nullopt};
    add("image_pipeline_mixup/regtorch", [=](benchmark::State& state) {
      auto mixed = format;
      mixed.mixture = [=](rt::kernels::ImageSize) { return mixture; };
      regtorch_variant(state, plain, mixed);
    });
    add("image_pipeline_mixup/regtorch_apart", [=](benchmark::State& state) {
      const auto apart = [=](const auto&... arguments) {
        return rt::transforms::mix_images(plain(arguments...), mixture);
      };
      regtorch_variant(state, apart, format);
    });
    add("image_pipeline_mixup/aten", [=](benchmark::State& state) {
      run(state, [&] {
        const auto made = aten_batched(input, dtype);
        return torch::lerp(made.roll(1, 0), made, mixture.own);
      });
    });
    add_both("image_pipeline/copy",
             [dtype](benchmark::State& state) { copy_variant(state, dtype); });
  }
  return 0;
}();

}  // namespace
