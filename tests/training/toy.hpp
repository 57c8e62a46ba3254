#pragma once

#include <vector>

#include <torch/torch.h>

namespace regtorch::testing {

/// A batch as Trainer and evaluate want it, without data::Batches.
struct ToyBatch {
  torch::Tensor images;
  torch::Tensor labels;
};

/// Two clouds of points, by class 0 and 1, `count` in all, in batches of `size`.
inline std::vector<ToyBatch> toy_batches(std::int64_t count, std::int64_t size,
                                         std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto labels = torch::arange(count).remainder(2);
  const auto points =
      torch::randn({count, 4}, generator) + labels.unsqueeze(1).to(torch::kFloat) * 2;
  std::vector<ToyBatch> batches;
  for (std::int64_t begin = 0; begin < count; begin += size) {
    const auto end = std::min(count, begin + size);
    batches.push_back({points.slice(0, begin, end), labels.slice(0, begin, end)});
  }
  return batches;
}

/// A small classifier with everything that training and evaluation mode change.
inline torch::nn::Sequential toy_model() {
  torch::manual_seed(0);
  return torch::nn::Sequential(torch::nn::Linear(4, 8), torch::nn::BatchNorm1d(8),
                               torch::nn::ReLU(), torch::nn::Dropout(0.2), torch::nn::Linear(8, 2));
}

}  // namespace regtorch::testing
