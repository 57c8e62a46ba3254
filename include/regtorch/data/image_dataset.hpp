#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <ATen/core/Tensor.h>
#include <torch/data/datasets/base.h>

#include "regtorch/core/check.hpp"

namespace regtorch::data {

/// Images in memory with a class for each: what the datasets are, and how images made elsewhere
/// become one.
///
/// Whole tensors come from images() and targets(). It is also a torch::data dataset of single
/// examples, as LibTorch's own MNIST is: get(i) gives float32 [3,H,W] in [0, 1] and an int64
/// scalar. Copies share the tensors.
class ImageDataset : public torch::data::datasets::Dataset<ImageDataset> {
 public:
  /// @param images       uint8 [N,3,H,W], on the CPU
  /// @param targets      int64 [N], on the CPU, each in [0, num_classes)
  /// @param num_classes  at least 1
  /// @throws c10::ValueError naming what does not fit, for a target also its place
  ImageDataset(at::Tensor images, at::Tensor targets, std::int64_t num_classes)
      : images_(std::move(images)), targets_(std::move(targets)), num_classes_(num_classes) {
    check_images("ImageDataset", images_);
    TORCH_CHECK_VALUE(targets_.defined() && targets_.scalar_type() == at::kLong &&
                          targets_.dim() == 1 && targets_.size(0) == images_.size(0),
                      "ImageDataset: wanted targets of type Long (int64) and shape [",
                      images_.size(0), "], got ", describe(targets_));
    TORCH_CHECK_VALUE(images_.is_cpu() && targets_.is_cpu(),
                      "ImageDataset: wanted tensors on the CPU, got images on ", images_.device(),
                      " and targets on ", targets_.device());
    TORCH_CHECK_VALUE(num_classes_ >= 1, "ImageDataset: wanted at least 1 class, got ",
                      num_classes_);
    targets_ = targets_.contiguous();
    const auto* target = targets_.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < targets_.size(0); ++i) {
      TORCH_CHECK_VALUE(target[i] >= 0 && target[i] < num_classes_,
                        "ImageDataset: wanted targets in [0, ", num_classes_, "), got ", target[i],
                        " for image ", i);
    }
  }

  /// uint8 [N,3,H,W].
  const at::Tensor& images() const { return images_; }
  /// int64 [N].
  const at::Tensor& targets() const { return targets_; }
  /// How many classes there are; targets are below it.
  std::int64_t num_classes() const { return num_classes_; }

  /// N: always known.
  std::optional<std::size_t> size() const override {
    return static_cast<std::size_t>(images_.size(0));
  }

  /// Example `index`: float32 [3,H,W] in [0, 1], and an int64 scalar.
  /// @throws c10::IndexError if there is no such example
  torch::data::Example<> get(std::size_t index) override {
    const auto i = static_cast<std::int64_t>(index);
    TORCH_CHECK_INDEX(i >= 0 && i < images_.size(0), "ImageDataset: wanted an index below ",
                      images_.size(0), ", got ", index);
    return {images_.select(0, i).to(at::kFloat).div_(255), targets_.select(0, i).clone()};
  }

 private:
  at::Tensor images_;
  at::Tensor targets_;
  std::int64_t num_classes_;
};

}  // namespace regtorch::data
