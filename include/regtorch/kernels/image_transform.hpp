#pragma once

#include <concepts>
#include <cstdint>
#include <utility>

#include "regtorch/kernels/lanes.hpp"
#include "regtorch/kernels/philox.hpp"
#include "regtorch/kernels/pixel_operation.hpp"

/// What a transform of the image pipeline is. There are two kinds, told apart by their members, and
/// any class that has the members takes part; there is no base class.
///
/// A *geometric* transform says where each row and each column of its output comes from:
///
///     ImageSize output_size(ImageSize in) const;
///     Draw draw(RandomWords& random, ImageSize in) const;        // the decisions for one image
///     int source_row(const Draw& draw, int y) const;             // or kOutside: the pixel is 0
///     int source_column(const Draw& draw, int x) const;
///
/// A *pixel* transform changes pixels in place, from the value alone or also from decisions made
/// for the image and the place. One of:
///
///     void pixel(float& red, float& green, float& blue) const;
///
///     Draw draw(RandomWords& random, ImageSize in) const;
///     void pixel(float& red, float& green, float& blue, const Draw& draw, int y, int x) const;
///
///     Draw draw(RandomWords& random, ImageSize in) const;
///     void block(PixelBlock& block, const Draw& draw, int y, const int (&x)[kLanes]) const;
///
/// `pixel` is called in a loop over the neighbouring pixels of a block that the compiler vectorises
/// if it can: selections (a < b ? c : d) rather than branches, and no calls, keep it fast. It must
/// write to nothing but the pixel: neighbours, and other threads, are at work at the same time.
/// `block` brings its own loops: for transforms that decide once for the image what they do to its
/// pixels.
///
/// A pixel transform may also ask for the mean of a quantity over all pixels of the image that
/// enters it, those included that a later transform cuts off:
///
///     bool needs_mean(const Draw& draw) const;
///     void measure(PixelBlock block, const Draw& draw, float (&quantity)[kLanes]) const;
///     float Draw::mean;                      // the pipeline sets it before the first pixel
///
/// Images for which needs_mean is true are gone through once more, up to that transform.
///
/// A pixel transform that can say what it does to an image as a PixelOperation has it done by our
/// CUDA kernel where the images are on a device; a pipeline with one that can't, or that asks for a
/// mean, is carried out on the CPU. (A geometric transform always can.)
///
///     PixelOperation device_operation(const Draw& draw) const;  // NoDraw if it draws nothing
///
/// A Draw must be default-constructible. Values are in [0, 1] where the pipeline begins (byte /
/// 255).
namespace regtorch::kernels {

struct ImageSize {
  int height = 0;
  int width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// The source of a row or column that lies outside the image.
inline constexpr int kOutside = -1;

/// Neighbouring pixels of one row, which go through the transforms side by side.
struct PixelBlock {
  float red[kLanes];
  float green[kLanes];
  float blue[kLanes];
};

/// The random words that one transform may use for one image: as many as it asks for, a function of
/// the stream and the image's index alone.
class RandomWords {
 public:
  constexpr RandomWords(RandomStream stream, std::uint64_t index)
      : stream_(stream), index_(index) {}

  /// The next 32 uniform bits.
  constexpr std::uint32_t next() {
    if (used_ == 4) {
      block_ = stream_.block(index_);
      ++stream_.purpose;
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Which pass over the data this is.
  constexpr std::uint32_t pass() const { return stream_.pass; }
  /// What the transform drew, or will draw, for this image in another pass, from the first word on.
  /// To be asked before next().
  constexpr RandomWords in_pass(std::uint32_t pass) const {
    return {{stream_.seed, pass, stream_.purpose}, index_};
  }

 private:
  RandomStream stream_;
  std::uint64_t index_;
  PhiloxBlock block_{};
  std::uint32_t used_ = 4;
};

/// The decisions of a transform that makes none.
struct NoDraw {};

template <class T>
concept DrawingTransform = requires(const T& transform, RandomWords& random, ImageSize size) {
  transform.draw(random, size);
};

/// The decisions of `transform` for one image; NoDraw if it makes none.
template <class T>
auto draw_for(const T& transform, RandomWords random, ImageSize in) {
  if constexpr (DrawingTransform<T>) {
    return transform.draw(random, in);
  } else {
    return NoDraw{};
  }
}

template <class T>
using DrawOf =
    decltype(draw_for(std::declval<const T&>(), std::declval<RandomWords>(), ImageSize{}));

template <class T>
concept GeometricTransform =
    DrawingTransform<T> && requires(const T& transform, const DrawOf<T>& draw, ImageSize size) {
      { transform.output_size(size) } -> std::same_as<ImageSize>;
      { transform.source_row(draw, 0) } -> std::same_as<int>;
      { transform.source_column(draw, 0) } -> std::same_as<int>;
    };

/// A pixel transform that needs the value alone.
template <class T>
concept PlainPixelTransform =
    requires(const T& transform, float& value) { transform.pixel(value, value, value); };

/// A pixel transform that also needs decisions and place.
template <class T>
concept PlacedPixelTransform =
    DrawingTransform<T> && requires(const T& transform, const DrawOf<T>& draw, float& value) {
      transform.pixel(value, value, value, draw, 0, 0);
    };

/// A pixel transform that does its own loops.
template <class T>
concept BlockTransform =
    DrawingTransform<T> && requires(const T& transform, const DrawOf<T>& draw, PixelBlock& block,
                                    const int (&x)[kLanes]) { transform.block(block, draw, 0, x); };

template <class T>
concept PixelTransform = PlainPixelTransform<T> || PlacedPixelTransform<T> || BlockTransform<T>;

/// A pixel transform that asks for a mean over the image.
template <class T>
concept MeasuringTransform = PixelTransform<T> && DrawingTransform<T> &&
                             requires(const T& transform, DrawOf<T>& draw, const PixelBlock& block,
                                      float (&quantity)[kLanes]) {
                               { transform.needs_mean(draw) } -> std::same_as<bool>;
                               transform.measure(block, draw, quantity);
                               draw.mean = 0.0f;
                             };

/// A transform that a device's kernel can carry out.
template <class T>
concept DeviceTransform =
    GeometricTransform<T> || (PixelTransform<T> && !MeasuringTransform<T> &&
                              requires(const T& transform, const DrawOf<T>& draw) {
                                {
                                  transform.device_operation(draw)
                                } -> std::same_as<PixelOperation>;
                              });

template <class T>
concept ImageTransform = GeometricTransform<T> || PixelTransform<T>;

}  // namespace regtorch::kernels
