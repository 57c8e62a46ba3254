#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "regtorch/core/key.hpp"
#include "regtorch/data/shuffle.hpp"
#include "regtorch/data/subset.hpp"

namespace regtorch::data {

/// Splits a dataset at random into parts of the given sizes: each example is in exactly one part.
///
///     auto parts = random_split(train, {30000, 20000}, /*seed=*/0);
///
/// @param dataset  an ImageDataset, or a Subset to be split further
/// @param sizes    of the parts, none negative; they must add up to the dataset's size
/// @param seed     default: drawn from LibTorch's default CPU generator
/// @return a Subset for each size: indices, no copies of images
/// @throws c10::ValueError if a size is negative or the sizes do not add up
///
/// Like torch.utils.data.random_split; the order is regtorch's own (see shuffle.hpp).
inline std::vector<Subset> random_split(const Subset& dataset,
                                        const std::vector<std::int64_t>& sizes,
                                        std::optional<std::uint64_t> seed = std::nullopt) {
  const auto total = dataset.indices().size(0);
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  std::int64_t sum = 0;
  for (const std::int64_t size : sizes) {
    TORCH_CHECK_VALUE(size >= 0, "random_split: wanted sizes of at least 0, got ", size);
    sum = size > kMost - sum ? kMost : sum + size;
  }
  TORCH_CHECK_VALUE(sum == total, "random_split: wanted sizes that add up to the dataset's ", total,
                    " examples, got ", c10::IntArrayRef(sizes), " = ", sum);
  at::Tensor order = dataset.indices().clone();
  shuffle_(order, Key{seed_or_draw(seed)}.stream(Purpose::kSplit));
  std::vector<Subset> parts;
  std::int64_t begin = 0;
  for (const std::int64_t size : sizes) {
    parts.emplace_back(dataset.dataset(), order.slice(0, begin, begin + size));
    begin += size;
  }
  return parts;
}

}  // namespace regtorch::data
