#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "regtorch/data/image_dataset.hpp"
#include "transforms/images.hpp"

namespace regtorch::testing {

/// `count` images of random bytes; image i has class i % num_classes.
inline data::ImageDataset random_dataset(std::int64_t count, std::int64_t side = 32,
                                         std::int64_t num_classes = 10, std::uint64_t seed = 0) {
  return {random_images(count, side, side, seed), torch::arange(count).remainder(num_classes),
          num_classes};
}

/// All that LibTorch's own loader delivers of a dataset, in order: float32 [N,3,H,W], int64 [N].
template <class Dataset>
torch::data::Example<> load_all(Dataset dataset, std::size_t batch_size, std::size_t workers = 0) {
  auto loader = torch::data::make_data_loader<torch::data::samplers::SequentialSampler>(
      dataset.map(torch::data::transforms::Stack<>()),
      torch::data::DataLoaderOptions(batch_size).workers(workers));
  std::vector<torch::Tensor> images;
  std::vector<torch::Tensor> targets;
  for (auto& batch : *loader) {
    images.push_back(batch.data);
    targets.push_back(batch.target);
  }
  return {torch::cat(images), torch::cat(targets)};
}

/// Pearson's statistic of `values` in [0, cells) against equal chances; cells - 1 degrees of
/// freedom.
inline double chi_square(const torch::Tensor& values, std::int64_t cells) {
  const auto counts = torch::bincount(values, {}, cells).to(torch::kDouble);
  const double expected = static_cast<double>(values.numel()) / static_cast<double>(cells);
  return ((counts - expected).square() / expected).sum().item<double>();
}

}  // namespace regtorch::testing
