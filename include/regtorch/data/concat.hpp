#pragma once

#include <algorithm>

#include <ATen/ops/cat.h>

#include "regtorch/data/subset.hpp"

namespace regtorch::data {

/// One dataset with the examples of `first`, then those of `second`: how images made elsewhere, by
/// a generative model say, join a training set. The images are copied.
///
///     auto more = concat(train, ImageDataset(generated_images, their_classes, 10));
///
/// @return an ImageDataset with the larger of the two numbers of classes
/// @throws c10::ValueError if the images differ in size
inline ImageDataset concat(const Subset& first, const Subset& second) {
  const auto& a = first.dataset();
  const auto& b = second.dataset();
  TORCH_CHECK_VALUE(a.images().sizes().slice(1) == b.images().sizes().slice(1),
                    "concat: wanted images of one size, got ", describe(a.images()), " and ",
                    describe(b.images()));
  return ImageDataset(at::cat({a.images().index_select(0, first.indices()),
                               b.images().index_select(0, second.indices())}),
                      at::cat({a.targets().index_select(0, first.indices()),
                               b.targets().index_select(0, second.indices())}),
                      std::max(a.num_classes(), b.num_classes()));
}

}  // namespace regtorch::data
