#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <torch/data/datasets/base.h>

#include "regtorch/core/check.hpp"
#include "regtorch/data/image_dataset.hpp"

namespace regtorch::data {

/// Some of a dataset's examples, in a given order: indices into it, no copies of images.
///
/// A dataset converts to the subset of all its examples. The subset shares the dataset's tensors
/// and may outlive it. Also a torch::data dataset.
class Subset : public torch::data::datasets::Dataset<Subset> {
 public:
  /// All examples of `dataset`, in order.
  Subset(ImageDataset dataset)  // NOLINT: implicit, so that a dataset goes wherever a subset does
      : dataset_(std::move(dataset)),
        indices_(at::arange(static_cast<std::int64_t>(*dataset_.size()), at::kLong)) {}

  /// @param dataset  which is shared, not copied
  /// @param indices  int64 [M], on the CPU, each in [0, N)
  /// @throws c10::ValueError if the indices do not fit
  Subset(ImageDataset dataset, at::Tensor indices)
      : dataset_(std::move(dataset)), indices_(std::move(indices)) {
    check_indices("Subset", indices_);
    TORCH_CHECK_VALUE(indices_.is_cpu(), "Subset: wanted indices on the CPU, got ",
                      describe(indices_));
    indices_ = indices_.contiguous();
    const auto size = static_cast<std::int64_t>(*dataset_.size());
    const auto* index = indices_.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < indices_.size(0); ++i) {
      TORCH_CHECK_VALUE(index[i] >= 0 && index[i] < size, "Subset: wanted indices in [0, ", size,
                        "), got ", index[i], " at place ", i);
    }
  }

  /// The whole that this is a part of.
  const ImageDataset& dataset() const { return dataset_; }
  /// int64 [M]: where in dataset() each example is.
  const at::Tensor& indices() const { return indices_; }

  /// M: always known.
  std::optional<std::size_t> size() const override {
    return static_cast<std::size_t>(indices_.size(0));
  }

  /// Example `index` of the subset, as ImageDataset::get gives it.
  /// @throws c10::IndexError if there is no such example
  torch::data::Example<> get(std::size_t index) override {
    const auto i = static_cast<std::int64_t>(index);
    TORCH_CHECK_INDEX(i >= 0 && i < indices_.size(0), "Subset: wanted an index below ",
                      indices_.size(0), ", got ", index);
    return dataset_.get(static_cast<std::size_t>(indices_.const_data_ptr<std::int64_t>()[i]));
  }

 private:
  ImageDataset dataset_;
  at::Tensor indices_;
};

}  // namespace regtorch::data
