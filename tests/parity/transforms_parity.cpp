// The C++ side of transforms_parity_test.py, which compares it with Python.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "commands.hpp"
#include "regtorch/core/key.hpp"
#include "regtorch/transforms/color_jitter.hpp"
#include "regtorch/transforms/cutmix.hpp"
#include "regtorch/transforms/cutout.hpp"
#include "regtorch/transforms/mixup.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_erasing.hpp"
#include "regtorch/transforms/random_grayscale.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace regtorch::parity {

namespace {

using namespace regtorch::transforms;

std::array<double, 3> color(const Words& words, const std::string& name) {
  const auto numbers = words.numbers(name);
  return {numbers.at(0), numbers.at(1), numbers.at(2)};
}

/// What a transform decided, as numbers.
std::vector<double> numbers(const RandomCrop::Draw& draw) {
  return {static_cast<double>(draw.top), static_cast<double>(draw.left)};
}
std::vector<double> numbers(const RandomHorizontalFlip::Draw& draw) {
  return {static_cast<double>(draw.flip)};
}
std::vector<double> numbers(const Cutout::Draw& draw) {
  return {static_cast<double>(draw.top), static_cast<double>(draw.left)};
}
std::vector<double> numbers(const RandomErasing::Draw& draw) {
  return {static_cast<double>(draw.top), static_cast<double>(draw.left),
          static_cast<double>(draw.height), static_cast<double>(draw.width)};
}
std::vector<double> numbers(const RandomGrayscale::Draw& draw) {
  return {static_cast<double>(draw.gray)};
}
/// The adjustments in their order, -1 for none, then the factor of each.
std::vector<double> numbers(const ColorJitter::Draw& draw) {
  std::vector<double> result(4, -1.0);
  for (int i = 0; i < draw.count; ++i) {
    const auto place = static_cast<std::size_t>(i);
    result[place] = static_cast<double>(draw.order[place]);
  }
  result.insert(result.end(), draw.factor.begin(), draw.factor.end());
  return result;
}

/// The images through a pipeline of `transform` alone, and what it decided for each.
template <class Transform>
TensorDict run(const Transform& transform, const torch::Tensor& images, Key key) {
  const std::int64_t count = images.size(0);
  TensorDict out;
  out.insert("images", Pipeline(transform)(images, key, torch::arange(count)));
  if constexpr (requires(kernels::RandomWords& random) { transform.draw(random, {}); }) {
    const kernels::ImageSize size{static_cast<int>(images.size(2)),
                                  static_cast<int>(images.size(3))};
    std::vector<torch::Tensor> draws;
    for (std::int64_t i = 0; i < count; ++i) {
      // The words that the first transform of a pipeline reads.
      kernels::RandomWords random(key.stream(Purpose::kPipeline), static_cast<std::uint64_t>(i));
      draws.push_back(torch::tensor(numbers(transform.draw(random, size)), torch::kDouble));
    }
    out.insert("draws", torch::stack(draws));
  }
  return out;
}

}  // namespace

/// IN: images, uint8 [N,3,H,W]. OUT: what a transform made of them, and its decisions.
TensorDict transformed(const TensorDict& in, const Words& words) {
  const torch::Tensor& images = in["images"];
  const Key key{static_cast<std::uint64_t>(words.integer("seed"))};
  const std::map<std::string, std::function<TensorDict()>> transforms{
      {"normalize",
       [&] { return run(Normalize(color(words, "mean"), color(words, "std")), images, key); }},
      {"crop",
       [&] {
         return run(RandomCrop(static_cast<int>(words.integer("size")),
                               static_cast<int>(words.integer("padding")),
                               words.has("reflect") ? PaddingMode::kReflect : PaddingMode::kZero),
                    images, key);
       }},
      {"flip", [&] { return run(RandomHorizontalFlip(words.number("p")), images, key); }},
      {"cutout",
       [&] {
         return run(Cutout(static_cast<int>(words.integer("size")), color(words, "fill")), images,
                    key);
       }},
      {"erasing",
       [&] {
         RandomErasingOptions options;
         words.pass("p", [&](double x) { options.p(x); });
         if (words.has("fill")) {
           options.fill(color(words, "fill"));
         }
         return run(RandomErasing(options), images, key);
       }},
      {"grayscale", [&] { return run(RandomGrayscale(words.number("p")), images, key); }},
      {"jitter", [&] {
         ColorJitterOptions options;
         words.pass("brightness", [&](double x) { options.brightness(x); });
         words.pass("contrast", [&](double x) { options.contrast(x); });
         words.pass("saturation", [&](double x) { options.saturation(x); });
         words.pass("hue", [&](double x) { options.hue(x); });
         return run(ColorJitter(options), images, key);
       }}};
  return transforms.at(words.text("transform"))();
}

/// IN: images, floating-point [B,...], and labels. OUT: both mixed, the share of each image that is
/// its own, and for CutMix the box, as top, bottom, left, right.
TensorDict mixed(const TensorDict& in, const Words& words) {
  const torch::Tensor& images = in["images"];
  const Key key{static_cast<std::uint64_t>(words.integer("seed"))};
  const std::int64_t classes = words.integer("classes");
  const double alpha = words.number("alpha");
  const auto run = [&](const auto& mix) {
    const kernels::Mixture mixture = mix.mixture(key, 0, image_size(images));
    const Mixed result = mix(images, in["labels"], key, 0);
    TensorDict out;
    out.insert("images", result.images);
    out.insert("targets", result.targets);
    out.insert("own", torch::tensor(mixture.own, torch::kDouble));
    if (mixture.box.has_value()) {
      const auto& box = *mixture.box;
      out.insert("box", torch::tensor({box.top, box.bottom, box.left, box.right}, torch::kLong));
    }
    return out;
  };
  return words.text("mix") == "cutmix" ? run(CutMix(classes, alpha)) : run(MixUp(classes, alpha));
}

}  // namespace regtorch::parity
