#pragma once

#include <filesystem>

#include <ATen/core/Tensor.h>

#include "regtorch/data/cifar_files.hpp"
#include "regtorch/data/image_dataset.hpp"

namespace regtorch::data {

/// CIFAR-100: 50,000 training and 10,000 test images of 32x32 pixels, each in one of 100 fine
/// classes and one of 20 coarse ones, read from the "binary version" into memory.
///
/// Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
class CIFAR100 : public ImageDataset {
 public:
  /// Which images: 50,000 for training, or 10,000 for tests.
  enum class Mode { kTrain, kTest };
  /// Which labels: 100 fine ones, or 20 coarse ones.
  enum class Labels { kFine, kCoarse };

  /// @param root    the folder with train.bin and test.bin, or the one that holds cifar-100-binary
  /// @param mode    the training images (default) or the test images
  /// @param labels  what targets() are: the fine classes (default) or the coarse ones
  /// @throws c10::Error naming the file if one is missing, unreadable, of another length than it
  ///         should be, or holds a coarse label above 19 or a fine one above 99
  explicit CIFAR100(const std::filesystem::path& root, Mode mode = Mode::kTrain,
                    Labels labels = Labels::kFine)
      : CIFAR100(detail::read_cifar(root, layout(mode)), labels) {}

  /// int64 [N], in [0, 20).
  const at::Tensor& coarse_targets() const { return coarse_targets_; }
  /// int64 [N], in [0, 100).
  const at::Tensor& fine_targets() const { return fine_targets_; }

 private:
  CIFAR100(const detail::CifarData& data, Labels labels)
      : ImageDataset(data.images, data.labels.select(0, labels == Labels::kFine ? 1 : 0),
                     labels == Labels::kFine ? 100 : 20),
        coarse_targets_(data.labels.select(0, 0)),
        fine_targets_(data.labels.select(0, 1)) {}

  static detail::CifarLayout layout(Mode mode) {
    const bool train = mode == Mode::kTrain;
    return {"CIFAR100",
            "cifar-100-binary",
            {train ? "train.bin" : "test.bin"},
            train ? 50000 : 10000,
            {20, 100}};
  }

  at::Tensor coarse_targets_;
  at::Tensor fine_targets_;
};

}  // namespace regtorch::data
