#pragma once

#include <array>
#include <cstdint>

/// What a device does to the pixels of an image. A transform whose work can be said in these words
/// also runs on devices: see regtorch/kernels/image_transform.hpp.
namespace regtorch::kernels {

/// Rows [top, top + height) and columns [left, left + width), some of which may be outside the
/// image.
struct PixelBox {
  std::int32_t top = 0;
  std::int32_t left = 0;
  std::int32_t height = 0;
  std::int32_t width = 0;
};

/// One operation on one image, with the numbers drawn for it. Plain data: it is copied to the
/// device as it is.
struct PixelOperation {
  enum class Kind : std::int32_t { kNone, kScaleShift, kGrayscale, kFill, kNoise, kZeroOutside };

  /// The pixels stay as they are.
  static PixelOperation none() { return {}; }
  /// x_c <- x_c * scale_c + shift_c.
  static PixelOperation scale_shift(const std::array<float, 3>& scale,
                                    const std::array<float, 3>& shift) {
    PixelOperation operation{.kind = Kind::kScaleShift};
    for (std::size_t c = 0; c < 3; ++c) {
      operation.value[c] = scale[c];
      operation.shift[c] = shift[c];
    }
    return operation;
  }
  /// All channels become kernels::grayscale of the pixel.
  static PixelOperation grayscale() { return {.kind = Kind::kGrayscale}; }
  /// The pixels in the box become this colour.
  static PixelOperation fill(PixelBox box, const std::array<float, 3>& color) {
    return {.kind = Kind::kFill, .box = box, .value = {color[0], color[1], color[2]}};
  }
  /// Channel c of the pixel at (y, x), in the box, becomes standard_normal of block y 2^32 + x of
  /// RandomStream{seed, 0, c}.
  static PixelOperation noise(PixelBox box, std::uint64_t seed) {
    return {.kind = Kind::kNoise, .box = box, .seed = seed};
  }
  /// The pixels that have no source become 0. The pipeline's own.
  static PixelOperation zero_outside() { return {.kind = Kind::kZeroOutside}; }

  Kind kind = Kind::kNone;
  std::int32_t table = -1;  ///< what (y, x) is: see DeviceImages. The pipeline sets it.
  PixelBox box = {};
  float value[3] = {};
  float shift[3] = {};
  std::uint64_t seed = 0;
};

}  // namespace regtorch::kernels
