#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "regtorch/kernels/image_stages.hpp"
#include "regtorch/kernels/select_columns.hpp"
#include "regtorch/kernels/simd.hpp"

namespace regtorch::kernels::detail {

REGTORCH_INLINE void load(const std::uint8_t* bytes, float (&out)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    out[i] = static_cast<float>(bytes[i]) * (1.0f / 255.0f);
  }
}

/// Takes single images through the first N transforms of a tuple, block by block of kLanes pixels.
template <class Tuple, std::size_t N>
class ImageReader {
 public:
  ImageReader(const Tuple& transforms, ImageSize in, Isa isa)
      : transforms_(transforms),
        in_(in),
        stages_(transforms, in),
        columns_(static_cast<std::size_t>(stages_.padded_width())),
        bytes_(3 * columns_.size()),
        select_(select_columns(isa)) {
    make_measurers(isa, std::make_index_sequence<N>{});
  }

  ImageSize out_size() const { return stages_.out_size(); }

  /// Makes the decisions for the image with this index, whose pixels are uint8 [3,H,W].
  REGTORCH_INLINE void draw(const std::uint8_t* image, RandomStream stream, std::uint64_t index) {
    stages_.draw(stream, index);
    const auto width = static_cast<std::size_t>(out_size().width);
    for (std::size_t x = 0; x < width; ++x) {
      const int from = stages_.source_columns()[x];
      check_source("source_column", from, in_.width);
      columns_[x] = static_cast<std::uint16_t>(std::max(from, 0));
    }
    [&]<std::size_t... K>(std::index_sequence<K...>) REGTORCH_INLINE_LAMBDA {
      (measure<K>(image, stream, index), ...);
    }(std::make_index_sequence<N>{});
  }

  /// Calls body(block, y, x, count) for the blocks of the output, of which `count` pixels count.
  template <class Body>
  REGTORCH_INLINE void for_each_block(const std::uint8_t* image, const Body& body) {
    const ImageSize out = out_size();
    const auto in_width = static_cast<std::size_t>(in_.width);
    const std::size_t in_plane = static_cast<std::size_t>(in_.height) * in_width;
    const std::size_t padded = columns_.size();
    for (int y = 0; y < out.height; ++y) {
      const auto rows = stages_.rows(y);
      check_source("source_row", rows[0], in_.height);
      const std::size_t row = static_cast<std::size_t>(std::max(rows[0], 0)) * in_width;
      for (std::size_t c = 0; c < 3; ++c) {
        select_(image + c * in_plane + row, in_.width, columns_.data(), out.width,
                bytes_.data() + c * padded);
      }
      for (int x = 0; x < out.width; x += kLanes) {
        PixelBlock block;
        load(bytes_.data() + x, block.red);
        load(bytes_.data() + padded + x, block.green);
        load(bytes_.data() + 2 * padded + x, block.blue);
        stages_.template evaluate<N>(rows, x, block);
        body(block, y, x, std::min(kLanes, out.width - x));
      }
    }
  }

 private:
  template <std::size_t K>
  static constexpr bool kMeasures = MeasuringTransform<std::tuple_element_t<K, Tuple>>;
  struct Nothing {};
  /// A reader of the image that reaches transform K, if that one measures it. By pointer, since
  /// readers contain readers.
  template <std::size_t K>
  static auto measurer_type() {
    if constexpr (kMeasures<K>) {
      return std::unique_ptr<ImageReader<Tuple, K>>();
    } else {
      return Nothing{};
    }
  }
  template <std::size_t... K>
  static auto measurer_types(std::index_sequence<K...>)
      -> std::tuple<decltype(measurer_type<K>())...>;
  using Measurers = decltype(measurer_types(std::make_index_sequence<N>{}));

  template <std::size_t... K>
  void make_measurers(Isa isa, std::index_sequence<K...>) {
    [[maybe_unused]] const auto make = [&]<std::size_t I>() {
      if constexpr (kMeasures<I>) {
        std::get<I>(measurers_) = std::make_unique<ImageReader<Tuple, I>>(transforms_, in_, isa);
      }
    };
    (make.template operator()<K>(), ...);
  }

  template <std::size_t K>
  REGTORCH_INLINE void measure(const std::uint8_t* image, RandomStream stream,
                               std::uint64_t index) {
    if constexpr (kMeasures<K>) {
      const auto& transform = std::get<K>(transforms_);
      auto& draw = stages_.template draw_of<K>();
      if (!transform.wants_mean(draw)) {
        return;
      }
      auto& reader = *std::get<K>(measurers_);
      reader.draw(image, stream, index);
      double sum = 0;
      reader.for_each_block(
          image, [&](const PixelBlock& block, int, int, int count) REGTORCH_INLINE_LAMBDA {
            float values[kLanes];
            for (int i = 0; i < kLanes; ++i) {
              values[i] = transform.measure(block.red[i], block.green[i], block.blue[i], draw);
            }
            for (int i = 0; i < count; ++i) {
              sum += static_cast<double>(values[i]);
            }
          });
      const ImageSize size = reader.out_size();
      transform.set_mean(draw, static_cast<float>(sum / (static_cast<double>(size.height) *
                                                         static_cast<double>(size.width))));
    }
  }

  const Tuple& transforms_;
  ImageSize in_;
  ImageStages<Tuple, N> stages_;
  std::vector<std::uint16_t> columns_;
  std::vector<std::uint8_t> bytes_;
  SelectColumns select_;
  Measurers measurers_;
};

}  // namespace regtorch::kernels::detail
