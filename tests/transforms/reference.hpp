#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

/// Pipelines in float64: the same decisions, carried out one after the other on whole images.
namespace regtorch::testing {

inline constexpr std::uint64_t kReferenceSeed = 7;

/// The random words of the transform at this place of a pipeline for the image with this index.
inline kernels::RandomWords words(std::uint32_t place, std::int64_t index) {
  const auto stream = Key{kReferenceSeed}.stream(Purpose::kPipeline);
  return {{stream.seed, stream.pass, stream.purpose + 4096 * place},
          static_cast<std::uint64_t>(index)};
}

/// What `transform` decides from them.
template <class Transform>
auto drawn(const Transform& transform, std::uint32_t place, std::int64_t index, std::int64_t height,
           std::int64_t width) {
  auto random = words(place, index);
  return transform.draw(random, {static_cast<int>(height), static_cast<int>(width)});
}

/// A value a channel, as float64 [3,1,1].
inline torch::Tensor column(const std::array<double, 3>& values) {
  return torch::tensor({values[0], values[1], values[2]}, torch::kDouble).view({3, 1, 1});
}

/// A transform and what it does, in float64: of(place, index, x) is x, [3,H,W], transformed.
template <class Transform, class Of>
struct Step {
  Transform transform;
  Of of;
};
template <class Transform, class Of>
Step(Transform, Of) -> Step<Transform, Of>;

inline auto normalize_step() {
  const std::array<double, 3> mean{0.4, 0.5, 0.6};
  const std::array<double, 3> std{0.2, 0.25, 0.3};
  return Step{transforms::Normalize(mean, std),
              [=](std::uint32_t, std::int64_t, const torch::Tensor& x) {
                return (x - column(mean)) / column(std);
              }};
}
inline auto flip_step() {
  const transforms::RandomHorizontalFlip flip;
  return Step{flip, [=](std::uint32_t place, std::int64_t index, const torch::Tensor& x) {
                return drawn(flip, place, index, x.size(1), x.size(2)).flip ? x.flip(2) : x;
              }};
}
/// A crop with zeros around.
inline auto crop_step(int size, int padding) {
  const transforms::RandomCrop crop(size, padding);
  return Step{crop, [=](std::uint32_t place, std::int64_t index, const torch::Tensor& x) {
                namespace F = torch::nn::functional;
                const auto draw = drawn(crop, place, index, x.size(1), x.size(2));
                return F::pad(x, F::PadFuncOptions({padding, padding, padding, padding}))
                    .narrow(1, draw.top + padding, size)
                    .narrow(2, draw.left + padding, size);
              }};
}

/// The pipeline of these steps on `images`, in float64.
template <class... Steps>
torch::Tensor reference(const torch::Tensor& images, const Steps&... steps) {
  std::vector<torch::Tensor> results;
  for (std::int64_t n = 0; n < images.size(0); ++n) {
    torch::Tensor x = images[n].to(torch::kDouble) / 255;
    std::uint32_t place = 0;
    ((x = steps.of(place++, n, x)), ...);
    results.push_back(x);
  }
  return torch::stack(results);
}

/// Compares the pipeline of these steps with the reference on images of sizes around the width of
/// a block, and with itself: for strided images, in other forms, on one thread, in other batches.
template <class... Steps>
void check_pipeline(double tolerance, const Steps&... steps) {
  const transforms::Pipeline pipeline{steps.transform...};
  for (const auto& [height, width] :
       {std::pair{1, 1}, {31, 31}, {32, 32}, {33, 33}, {45, 17}, {17, 45}}) {
    const auto images = random_images(40, height, width);
    const torch::Tensor wanted = reference(images, steps...);
    const torch::Tensor got = pipeline(images, kReferenceSeed);
    REQUIRE(got.sizes() == wanted.sizes());
    CHECK((got.to(torch::kDouble) - wanted).abs().max().item<double>() <= tolerance);

    const Key key{kReferenceSeed};
    const auto indices = torch::arange(40);
    CHECK(pipeline(images.contiguous(at::MemoryFormat::ChannelsLast), key, indices).equal(got));
    CHECK(pipeline(torch::cat({images, images}, 3).slice(3, 0, width), key, indices).equal(got));
    for (const auto dtype : {torch::kFloat, torch::kBFloat16}) {
      for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        CHECK(pipeline(images, key, indices, {dtype, layout}).equal(got.to(dtype)));
      }
    }
    for (const int threads : {1, 2}) {
      const Threads scope(threads);
      CHECK(pipeline(images, key, indices).equal(got));
    }
    CHECK(pipeline(images.flip(0), key, indices.flip(0)).equal(got.flip(0)));
    for (const std::int64_t first : {0, 1, 18, 39}) {
      CHECK(pipeline(images.slice(0, first), key, indices.slice(0, first))
                .equal(got.slice(0, first)));
    }
  }
}

/// Whether counts of `draws` equally likely things differ by more than chance, at five deviations.
inline bool looks_uniform(const std::vector<double>& counts) {
  double draws = 0;
  for (const double count : counts) {
    draws += count;
  }
  const auto bins = static_cast<double>(counts.size());
  double chi_square = 0;
  for (const double count : counts) {
    chi_square += (count - draws / bins) * (count - draws / bins) / (draws / bins);
  }
  return chi_square < bins - 1 + 5 * std::sqrt(2 * (bins - 1));
}

/// Whether numbers are uniform in [low, high]: none is outside by more than `rounding`, and their
/// distribution function is nowhere further off than the test of Kolmogorov and Smirnov allows once
/// in ten million times.
inline bool looks_uniform_between(std::vector<double> numbers, double low, double high,
                                  double rounding) {
  std::sort(numbers.begin(), numbers.end());
  const auto n = static_cast<double>(numbers.size());
  double distance = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double share = (numbers[i] - low) / (high - low);
    distance = std::max(distance, std::abs(share - (static_cast<double>(i) + 0.5) / n));
  }
  return numbers.front() >= low - rounding && numbers.back() <= high + rounding &&
         distance < 2.9 / std::sqrt(n);  // 2 exp(-2 * 2.9^2) = 1e-7
}

}  // namespace regtorch::testing
