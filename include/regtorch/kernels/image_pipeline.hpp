#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/select_columns.hpp"
#include "regtorch/kernels/simd.hpp"

/// The image pipeline: bytes in, any composition of transforms, floats out, in one pass.
///
/// How. Geometric transforms move whole rows and columns, so all of them together come down to one
/// source row for each output row and one table of source columns for each image. An output row is
/// then made by picking its bytes out of the source row (`select_columns`) and taking blocks of
/// kLanes pixels through the transforms in registers, first to last. The recursion over the tuple of
/// transforms is unrolled by the compiler; only the last step stores.
///
/// Memory traffic: 3 bytes read and 12 (float32) or 6 (bfloat16) written a pixel, so at a copy
/// speed of B bytes/s the limit for 32x32 images is B / 15,360 (or B / 9,216) images a second.
namespace regtorch::kernels {

enum class PixelType { kFloat32, kBFloat16 };

/// Where a batch's images lie: `pixels` is uint8 [N,3,H,W], contiguous; image n's randomness is
/// that of index `ids[n]`.
struct ImageSource {
  const std::uint8_t* pixels = nullptr;
  const std::int64_t* ids = nullptr;
  ImageSize size;
};

/// Where they go: [N,3,H,W] of `type`, in memory as N,C,H,W or, if `channels_last`, as N,H,W,C.
struct ImageSink {
  void* pixels = nullptr;
  PixelType type = PixelType::kFloat32;
  bool channels_last = false;
};

/// float32 to bfloat16, to nearest, ties to even; NaN stays NaN.
REGTORCH_INLINE std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  return static_cast<std::uint16_t>(is_nan ? 0x7FC0u : rounded);
}

/// Pixels that go through the transforms side by side. 32, since g++ -O3 unrolls loops of up to 16
/// rounds whole and then fails to vectorise them.
inline constexpr int kLanes = 32;

namespace detail {

struct PixelBlock {
  float red[kLanes];
  float green[kLanes];
  float blue[kLanes];
};

/// Images between transforms: stage 0 is the input, stage K the image after the first K transforms.
template <class... Transforms>
class ImageStages {
 public:
  static constexpr std::size_t kCount = sizeof...(Transforms);
  template <class T>
  using PerStage = std::array<T, kCount + 1>;
  template <std::size_t K>
  using Transform = std::tuple_element_t<K, std::tuple<Transforms...>>;

  ImageStages(const std::tuple<Transforms...>& transforms, ImageSize in)
      : transforms_(transforms) {
    sizes_[0] = in;
    for_each_transform([&]<std::size_t K>() {
      if constexpr (GeometricTransform<Transform<K>>) {
        sizes_[K + 1] = std::get<K>(transforms_).output_size(sizes_[K]);
      } else {
        sizes_[K + 1] = sizes_[K];
      }
    });
    padded_width_ = (sizes_[kCount].width + 31) / 32 * 32;
    for (auto& columns : columns_) {
      columns.resize(static_cast<std::size_t>(padded_width_));
    }
  }

  ImageSize out_size() const { return sizes_[kCount]; }
  /// The output's width rounded up, so that whole blocks can be computed.
  int padded_width() const { return padded_width_; }

  /// Makes the decisions for the image with this index, and from them the columns of every stage.
  REGTORCH_INLINE void draw(RandomStream stream, std::uint64_t index) {
    for_each_transform([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
      const std::uint32_t purpose = stream.purpose + 4096 * static_cast<std::uint32_t>(K);
      std::get<K>(draws_) = draw_for(
          std::get<K>(transforms_), RandomWords({stream.seed, stream.pass, purpose}, index),
          sizes_[K]);
    });
    const auto width = static_cast<std::size_t>(sizes_[kCount].width);
    for (std::size_t x = 0; x < width; ++x) {
      columns_[kCount][x] = static_cast<int>(x);
    }
    for_each_transform_reversed([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
      for (std::size_t x = 0; x < width; ++x) {
        const int to = columns_[K + 1][x];
        columns_[K][x] = to == kOutside ? kOutside : source_column<K>(to);
      }
    });
  }

  /// The row of every stage that row y of the output comes from, or kOutside.
  REGTORCH_INLINE PerStage<int> rows(int y) const {
    PerStage<int> rows;
    rows[kCount] = y;
    for_each_transform_reversed([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
      rows[K] = rows[K + 1] == kOutside ? kOutside : source_row<K>(rows[K + 1]);
    });
    return rows;
  }

  /// The columns of the input that the output's columns come from, or kOutside.
  const std::vector<int>& source_columns() const { return columns_[0]; }

  /// Takes the output's columns [x, x + kLanes) of one row through transforms 0 to K - 1.
  template <std::size_t K>
  REGTORCH_INLINE void evaluate(const PerStage<int>& rows, int x, PixelBlock& block) const {
    if constexpr (K > 0) {
      evaluate<K - 1>(rows, x, block);
      if constexpr (!is_geometric<K - 1>()) {
        apply<K - 1>(rows[K], columns_[K].data() + x, block);
      } else if constexpr (!is_geometric<K>()) {
        // Neighbouring geometric transforms fill with the same zeros: one mask for all of them.
        constexpr std::size_t kFirst = first_of_run<K - 1>();
        const int* from = columns_[kFirst].data() + x;
        const int row = rows[kFirst] == kOutside ? kOutside : 0;
        for (int i = 0; i < kLanes; ++i) {
          const bool inside = (from[i] | row) >= 0;
          block.red[i] = inside ? block.red[i] : 0.0f;
          block.green[i] = inside ? block.green[i] : 0.0f;
          block.blue[i] = inside ? block.blue[i] : 0.0f;
        }
      }
    }
  }

 private:
  template <class Body>
  REGTORCH_INLINE static void for_each_transform(const Body& body) {
    [&]<std::size_t... K>(std::index_sequence<K...>) REGTORCH_INLINE_LAMBDA {
      (body.template operator()<K>(), ...);
    }(std::make_index_sequence<kCount>{});
  }
  template <class Body>
  REGTORCH_INLINE static void for_each_transform_reversed(const Body& body) {
    [&]<std::size_t... K>(std::index_sequence<K...>) REGTORCH_INLINE_LAMBDA {
      (body.template operator()<kCount - 1 - K>(), ...);
    }(std::make_index_sequence<kCount>{});
  }

  template <std::size_t K>
  static constexpr bool is_geometric() {
    if constexpr (K < kCount) {
      return GeometricTransform<Transform<K>>;
    } else {
      return false;
    }
  }
  /// The first transform of the unbroken run of geometric ones that ends with transform K.
  template <std::size_t K>
  static constexpr std::size_t first_of_run() {
    if constexpr (K > 0) {
      if constexpr (is_geometric<K - 1>()) {
        return first_of_run<K - 1>();
      }
    }
    return K;
  }

  template <std::size_t K>
  REGTORCH_INLINE int source_row(int y) const {
    if constexpr (is_geometric<K>()) {
      return std::get<K>(transforms_).source_row(std::get<K>(draws_), y);
    } else {
      return y;
    }
  }
  template <std::size_t K>
  REGTORCH_INLINE int source_column(int x) const {
    if constexpr (is_geometric<K>()) {
      return std::get<K>(transforms_).source_column(std::get<K>(draws_), x);
    } else {
      return x;
    }
  }
  template <std::size_t K>
  REGTORCH_INLINE void apply(int y, const int* x, PixelBlock& block) const {
    const auto& transform = std::get<K>(transforms_);
    for (int i = 0; i < kLanes; ++i) {
      float red = block.red[i];
      float green = block.green[i];
      float blue = block.blue[i];
      if constexpr (PlainPixelTransform<Transform<K>>) {
        transform.pixel(red, green, blue);
      } else {
        transform.pixel(red, green, blue, std::get<K>(draws_), y, x[i]);
      }
      block.red[i] = red;
      block.green[i] = green;
      block.blue[i] = blue;
    }
  }

  const std::tuple<Transforms...>& transforms_;
  std::tuple<DrawOf<Transforms>...> draws_{};
  PerStage<ImageSize> sizes_;
  PerStage<std::vector<int>> columns_;
  int padded_width_ = 0;
};

REGTORCH_INLINE void load(const std::uint8_t* bytes, float (&out)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    out[i] = static_cast<float>(bytes[i]) * (1.0f / 255.0f);
  }
}

/// Stores the first `count` pixels of a block; `offset` is that of its first pixel in the image.
template <class Value, class Convert>
REGTORCH_INLINE void store(const PixelBlock& block, int count, Value* image, bool channels_last,
                           std::size_t plane, std::size_t offset, Convert convert) {
  const auto copy = [&](Value* out, const Value* values, std::size_t each) REGTORCH_INLINE_LAMBDA {
    // The constant size is the common case, and lets the compiler store whole registers.
    if (count == kLanes) {
      std::memcpy(out, values, kLanes * each * sizeof(Value));
    } else {
      std::memcpy(out, values, static_cast<std::size_t>(count) * each * sizeof(Value));
    }
  };
  if (channels_last) {
    Value values[3 * kLanes];
    for (int i = 0; i < kLanes; ++i) {
      values[3 * i] = convert(block.red[i]);
      values[3 * i + 1] = convert(block.green[i]);
      values[3 * i + 2] = convert(block.blue[i]);
    }
    copy(image + 3 * offset, values, 3);
    return;
  }
  const auto copy_plane = [&](const float* channel, std::size_t c) REGTORCH_INLINE_LAMBDA {
    Value values[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      values[i] = convert(channel[i]);
    }
    copy(image + c * plane + offset, values, 1);
  };
  copy_plane(block.red, 0);
  copy_plane(block.green, 1);
  copy_plane(block.blue, 2);
}

}  // namespace detail

/// The size of what comes out of `transforms` when images of size `in` go in.
template <class... Transforms>
ImageSize output_size(const std::tuple<Transforms...>& transforms, ImageSize in) {
  return detail::ImageStages<Transforms...>(transforms, in).out_size();
}

/// Takes images [begin, end) of a batch through the transforms.
///
/// Transform k of image n draws from `stream` at index ids[n], purpose stream.purpose + 4096 * k.
/// Neither begin, end nor isa changes a decision; values differ between instruction sets by the
/// rounding of fused multiply-adds only. The arguments are not checked.
template <class... Transforms>
void transform_images(const std::tuple<Transforms...>& transforms, const ImageSource& source,
                      const ImageSink& sink, std::int64_t begin, std::int64_t end,
                      RandomStream stream, Isa isa) {
  constexpr std::size_t kCount = sizeof...(Transforms);
  detail::ImageStages<Transforms...> stages(transforms, source.size);
  const ImageSize out = stages.out_size();
  const auto in_width = static_cast<std::size_t>(source.size.width);
  const std::size_t in_plane = static_cast<std::size_t>(source.size.height) * in_width;
  const auto out_width = static_cast<std::size_t>(out.width);
  const std::size_t out_plane = static_cast<std::size_t>(out.height) * out_width;
  const auto padded = static_cast<std::size_t>(stages.padded_width());
  std::vector<std::uint16_t> columns(padded);
  std::vector<std::uint8_t> bytes(3 * padded);
  const SelectColumns select = select_columns(isa);

  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t n = begin; n < end; ++n) {
      stages.draw(stream, static_cast<std::uint64_t>(source.ids[n]));
      for (std::size_t x = 0; x < out_width; ++x) {
        columns[x] = static_cast<std::uint16_t>(std::max(stages.source_columns()[x], 0));
      }
      const std::uint8_t* image = source.pixels + static_cast<std::size_t>(n) * 3 * in_plane;
      const std::size_t out_image = static_cast<std::size_t>(n) * 3 * out_plane;
      for (int y = 0; y < out.height; ++y) {
        const auto rows = stages.rows(y);
        const std::size_t row = static_cast<std::size_t>(std::max(rows[0], 0)) * in_width;
        for (std::size_t c = 0; c < 3; ++c) {
          select(image + c * in_plane + row, source.size.width, columns.data(), out.width,
                 bytes.data() + c * padded);
        }
        for (int x = 0; x < out.width; x += kLanes) {
          detail::PixelBlock block;
          detail::load(bytes.data() + x, block.red);
          detail::load(bytes.data() + padded + x, block.green);
          detail::load(bytes.data() + 2 * padded + x, block.blue);
          stages.template evaluate<kCount>(rows, x, block);
          const int count = std::min(kLanes, out.width - x);
          const std::size_t offset =
              static_cast<std::size_t>(y) * out_width + static_cast<std::size_t>(x);
          if (sink.type == PixelType::kFloat32) {
            detail::store(block, count, static_cast<float*>(sink.pixels) + out_image,
                          sink.channels_last, out_plane, offset,
                          [](float v) REGTORCH_INLINE_LAMBDA { return v; });
          } else {
            detail::store(block, count, static_cast<std::uint16_t*>(sink.pixels) + out_image,
                          sink.channels_last, out_plane, offset,
                          [](float v) REGTORCH_INLINE_LAMBDA { return to_bfloat16(v); });
          }
        }
      }
    }
  });
}

}  // namespace regtorch::kernels
