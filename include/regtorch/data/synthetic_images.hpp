#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/ops/empty.h>
#include <torch/arg.h>

#include "regtorch/core/key.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/data/image_dataset.hpp"

namespace regtorch::data {

/// What SyntheticImages makes.
struct SyntheticImagesOptions {
  /// @param size  number of images, at least 1
  SyntheticImagesOptions(std::int64_t size) : size_(size) {}  // NOLINT: Options(4096) idiom

  /// How many images, at least 1.
  TORCH_ARG(std::int64_t, size);
  /// Number of classes, 1 to 10,000; default 10.
  TORCH_ARG(std::int64_t, num_classes) = 10;
  /// Of the classes' patterns and of all else; default 0.
  TORCH_ARG(std::uint64_t, seed) = 0;
  /// Half the width of the triangular noise on each byte, in [0, 255]; default 60.
  TORCH_ARG(int, noise) = 60;
  /// Share of the labels that are drawn anew, from all classes alike, in [0, 1]; default 0.1.
  TORCH_ARG(double, label_noise) = 0.1;
};

/// Generated images of CIFAR's shape, uint8 [N,3,32,32]: learnable, and a few hundred of them are
/// overfitted within seconds, so that every program here runs with no data at hand.
///
/// A class is a smooth random colour pattern (a 4x4 grid, interpolated, periodic). Image i shows
/// the pattern of its class, shifted and mirrored at random and with random contrast, under noise;
/// some labels are wrong. All in integers, so the bytes are the same on every machine; image i
/// depends on (seed, i) alone, so a larger set begins with the smaller one.
class SyntheticImages : public ImageDataset {
 public:
  /// @throws c10::ValueError if an option is out of range
  explicit SyntheticImages(const SyntheticImagesOptions& options)
      : SyntheticImages(generate(options), options) {}

 private:
  static constexpr int kSide = 32;
  static constexpr int kPlane = kSide * kSide;
  static constexpr int kPixels = 3 * kPlane;
  static constexpr std::int64_t kMostClasses = 10000;  // a pattern takes 6 KB
  using Pattern = std::array<std::int16_t, kPixels>;

  struct Data {
    at::Tensor images;
    at::Tensor targets;
  };

  SyntheticImages(const Data& data, const SyntheticImagesOptions& options)
      : ImageDataset(data.images, data.targets, options.num_classes()) {}

  /// Values in [-127, 127] on a 4x4 grid, bilinear in between; the pattern repeats beyond its edge.
  static Pattern pattern(kernels::RandomStream stream, std::uint64_t class_index) {
    constexpr int kGrid = 4;
    constexpr int kCell = kSide / kGrid;
    std::array<int, 3 * kGrid * kGrid> knots{};
    for (std::size_t k = 0; k < knots.size(); ++k) {
      const auto word = stream.block(class_index * 16 + k / 4)[k % 4];
      knots[k] = static_cast<int>(kernels::bounded(word, 255)) - 127;
    }
    Pattern pattern{};
    for (int i = 0; i < kPixels; ++i) {
      const int channel = i / kPlane;
      const int y = i % kPlane / kSide;
      const int x = i % kSide;
      const auto knot = [&](int row, int column) {
        return knots[static_cast<std::size_t>((channel * kGrid + row % kGrid) * kGrid +
                                              column % kGrid)];
      };
      const int fy = y % kCell;
      const int fx = x % kCell;
      const int row = y / kCell;
      const int column = x / kCell;
      const int sum =
          (kCell - fy) * ((kCell - fx) * knot(row, column) + fx * knot(row, column + 1)) +
          fy * ((kCell - fx) * knot(row + 1, column) + fx * knot(row + 1, column + 1));
      pattern[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(sum / (kCell * kCell));
    }
    return pattern;
  }

  static Data generate(const SyntheticImagesOptions& options) {
    TORCH_CHECK_VALUE(options.size() >= 1, "SyntheticImages: wanted at least 1 image, got ",
                      options.size());
    TORCH_CHECK_VALUE(options.num_classes() >= 1 && options.num_classes() <= kMostClasses,
                      "SyntheticImages: wanted 1 to ", kMostClasses, " classes, got ",
                      options.num_classes());
    TORCH_CHECK_VALUE(options.noise() >= 0 && options.noise() <= 255,
                      "SyntheticImages: wanted noise in [0, 255], got ", options.noise());
    TORCH_CHECK_VALUE(options.label_noise() >= 0 && options.label_noise() <= 1,
                      "SyntheticImages: wanted label_noise in [0, 1], got ", options.label_noise());
    kernels::RandomStream pattern_stream = Key{options.seed()}.stream(Purpose::kSyntheticImages);
    kernels::RandomStream sample_stream = pattern_stream;
    kernels::RandomStream noise_stream = pattern_stream;
    sample_stream.purpose += 1;
    noise_stream.purpose += 2;

    const auto num_classes = static_cast<std::uint32_t>(options.num_classes());
    std::vector<Pattern> patterns(num_classes);
    for (std::uint32_t c = 0; c < num_classes; ++c) {
      patterns[c] = pattern(pattern_stream, c);
    }

    Data data{at::empty({options.size(), 3, kSide, kSide}, at::kByte),
              at::empty({options.size()}, at::kLong)};
    auto* images = data.images.mutable_data_ptr<std::uint8_t>();
    auto* targets = data.targets.mutable_data_ptr<std::int64_t>();
    const std::uint64_t wrong = kernels::threshold(options.label_noise());
    parallel_for(options.size(), 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const auto index = static_cast<std::uint64_t>(n);
        const auto choice = sample_stream.block(2 * index);
        const auto label = sample_stream.block(2 * index + 1);
        const std::uint32_t shown = kernels::bounded(choice[0], num_classes);
        targets[n] = label[0] < wrong ? kernels::bounded(label[1], num_classes) : shown;
        const int shift_y = static_cast<int>(choice[1] % kSide);
        const int shift_x = static_cast<int>(choice[2] % kSide);
        // A mirrored pattern is not the class's own shifted: so a random flip, as an augmentation,
        // shows a network what it will meet.
        const bool mirrored = label[2] % 2 == 1;
        const int contrast = 32 + static_cast<int>(choice[3] % 64);  // in 1/127 of a byte's range
        const Pattern& base = patterns[shown];
        std::uint8_t* image = images + n * kPixels;
        kernels::PhiloxBlock random{};
        for (int i = 0; i < kPixels; ++i) {
          if (i % 8 == 0) {  // 16 bits of noise a pixel
            random = noise_stream.block(index * (kPixels / 8) + static_cast<std::uint64_t>(i / 8));
          }
          const std::uint32_t bits = random[static_cast<std::size_t>(i % 8 / 2)] >> (16 * (i % 2));
          const int triangular = static_cast<int>(bits & 255) + static_cast<int>(bits >> 8 & 255);
          const int y = (i % kPlane / kSide + shift_y) % kSide;
          const int column = mirrored ? kSide - 1 - i % kSide : i % kSide;
          const int x = (column + shift_x) % kSide;
          const int signal = base[static_cast<std::size_t>(i / kPlane * kPlane + y * kSide + x)];
          const int value =
              128 + signal * contrast / 127 + (triangular - 255) * options.noise() / 255;
          image[i] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
        }
      }
    });
    return data;
  }
};

}  // namespace regtorch::data
