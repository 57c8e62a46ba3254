#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "regtorch/data/cifar_files.hpp"
#include "regtorch/data/image_dataset.hpp"

namespace regtorch::data {

/// CIFAR-10: 50,000 training and 10,000 test images of 32x32 pixels in 10 classes, read from the
/// "binary version" into memory (154 or 31 MB).
///
/// Get it with `cmake -P cmake/download_cifar10.cmake`.
///
/// Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
class CIFAR10 : public ImageDataset {
 public:
  /// Which images: 50,000 for training, or 10,000 for tests.
  enum class Mode { kTrain, kTest };

  /// @param root  the folder with data_batch_1.bin ... data_batch_5.bin and test_batch.bin, or the
  ///              one that holds cifar-10-batches-bin
  /// @param mode  the training images (default) or the test images
  /// @throws c10::Error naming the file if one is missing, unreadable, not of 10,000 whole records,
  ///         or holds a label above 9
  explicit CIFAR10(const std::filesystem::path& root, Mode mode = Mode::kTrain)
      : CIFAR10(detail::read_cifar(root, layout(mode))) {}

  /// "airplane", "automobile", ... "truck": the classes' names, by number.
  static const std::vector<std::string>& class_names() {
    static const std::vector<std::string> names{"airplane", "automobile", "bird",  "cat",  "deer",
                                                "dog",      "frog",       "horse", "ship", "truck"};
    return names;
  }

 private:
  explicit CIFAR10(const detail::CifarData& data)
      : ImageDataset(data.images, data.labels.select(0, 0), 10) {}

  static detail::CifarLayout layout(Mode mode) {
    detail::CifarLayout layout{"CIFAR10", "cifar-10-batches-bin", {"test_batch.bin"}, 10000, {10}};
    if (mode == Mode::kTrain) {
      layout.files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                      "data_batch_4.bin", "data_batch_5.bin"};
    }
    return layout;
  }
};

}  // namespace regtorch::data
