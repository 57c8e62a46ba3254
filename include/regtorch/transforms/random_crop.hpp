#pragma once

#include <cstdint>

#include <c10/util/Exception.h>

#include "regtorch/kernels/image_transform.hpp"

namespace regtorch::transforms {

/// What lies beyond the edge of an image: zeros, or the image mirrored at its edge pixel
/// (… 2 1 | 0 1 2 …).
enum class PaddingMode { kZero, kReflect };

/// Cuts a square of `size` pixels at a random place out of the image padded on all four sides.
///
/// Top and left are each uniform over the size_in + 2 * padding - size + 1 places (bias below
/// 2^-32).
///
/// @param size     side of the square in pixels, at least 1
/// @param padding  pixels added on each side, at least 0; default 0
/// @param mode     what they show: zero (default) or reflect
/// @throws c10::ValueError if size or padding is out of range, and, when images come, if the padded
///         image is smaller than the square, or a reflecting padding not below height and width
///
/// The same as torchvision.transforms.RandomCrop(size, padding, padding_mode=...).
class RandomCrop {
 public:
  /// With the parameters above.
  explicit RandomCrop(int size, int padding = 0, PaddingMode mode = PaddingMode::kZero)
      : size_(size), padding_(padding), mode_(mode) {
    TORCH_CHECK_VALUE(size >= 1 && size < kLimit, "RandomCrop: wanted a size in [1, ", kLimit,
                      "), got ", size);
    TORCH_CHECK_VALUE(padding >= 0 && padding < kLimit, "RandomCrop: wanted a padding in [0, ",
                      kLimit, "), got ", padding);
  }

  /// What is drawn for an image: where the square lies in it, padding and all.
  struct Draw {
    int top;                ///< first row
    int left;               ///< first column
    kernels::ImageSize in;  ///< the image's size
  };

  /// @{
  /// What a Pipeline calls: see kernels/image_transform.hpp.
  Draw draw(kernels::RandomWords& random, kernels::ImageSize in) const {
    const auto offset = [&](int side) {
      const int places = side + 2 * padding_ - size_ + 1;
      return static_cast<int>(kernels::bounded(random.next(), static_cast<std::uint32_t>(places))) -
             padding_;
    };
    const int top = offset(in.height);
    return {top, offset(in.width), in};
  }
  kernels::ImageSize output_size(kernels::ImageSize in) const {
    TORCH_CHECK_VALUE(in.height + 2 * padding_ >= size_ && in.width + 2 * padding_ >= size_,
                      "RandomCrop: wanted images of at least ", size_, "x", size_,
                      " after padding by ", padding_, ", got ", in.height, "x", in.width);
    TORCH_CHECK_VALUE(
        mode_ == PaddingMode::kZero || (padding_ < in.height && padding_ < in.width),
        "RandomCrop: wanted a reflecting padding below the image's sides, got padding ", padding_,
        " for ", in.height, "x", in.width);
    return {size_, size_};
  }
  int source_row(const Draw& draw, int y) const { return place(draw.top + y, draw.in.height); }
  int source_column(const Draw& draw, int x) const { return place(draw.left + x, draw.in.width); }
  /// @}

 private:
  static constexpr int kLimit = 1 << 15;

  int place(int i, int side) const {
    if (mode_ == PaddingMode::kReflect) {
      i = i < 0 ? -i : i;
      return i >= side ? 2 * (side - 1) - i : i;
    }
    return i < 0 || i >= side ? kernels::kOutside : i;
  }

  int size_;
  int padding_;
  PaddingMode mode_;
};

}  // namespace regtorch::transforms
