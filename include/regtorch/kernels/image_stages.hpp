#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/simd.hpp"

namespace regtorch::kernels {

namespace detail {

/// Images between transforms: stage 0 is the input, stage K the image after the first K transforms.
/// One of them, the last or one that a transform asks for a mean of, is aimed at: its pixels are
/// the ones that `rows` and `evaluate` make.
template <class... Transforms>
class ImageStages {
 public:
  static constexpr std::size_t kCount = sizeof...(Transforms);
  template <class T>
  using PerStage = std::array<T, kCount + 1>;
  template <std::size_t K>
  using Transform = std::tuple_element_t<K, std::tuple<Transforms...>>;

  ImageStages(const std::tuple<Transforms...>& transforms, ImageSize in) : transforms_(transforms) {
    sizes_[0] = in;
    for_each_transform([&]<std::size_t K>() {
      if constexpr (GeometricTransform<Transform<K>>) {
        sizes_[K + 1] = std::get<K>(transforms_).output_size(sizes_[K]);
      } else {
        sizes_[K + 1] = sizes_[K];
      }
    });
    int widest = sizes_[kCount].width;
    for_each_transform([&]<std::size_t K>() {
      if constexpr (MeasuringTransform<Transform<K>>) {
        widest = std::max(widest, sizes_[K].width);
      }
    });
    padded_width_ = (widest + 31) / 32 * 32;
    for (auto& columns : columns_) {
      columns.resize(static_cast<std::size_t>(padded_width_));
    }
  }

  ImageSize out_size() const { return sizes_[kCount]; }
  template <std::size_t K>
  ImageSize size() const {
    return sizes_[K];
  }
  /// The width of the widest stage that is aimed at, rounded up, so that whole blocks can be
  /// computed.
  int padded_width() const { return padded_width_; }

  /// Makes the decisions for the image with this index.
  REGTORCH_INLINE void draw(RandomStream stream, std::uint64_t index) {
    for_each_transform([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
      const std::uint32_t purpose = stream.purpose + 4096 * static_cast<std::uint32_t>(K);
      std::get<K>(draws_) =
          draw_for(std::get<K>(transforms_),
                   RandomWords({stream.seed, stream.pass, purpose}, index), sizes_[K]);
    });
  }

  /// For the transforms K that need a mean of this image, in order, calls
  /// mean_of.operator()<K>(measure) and keeps what it returns.
  template <class MeanOf>
  REGTORCH_INLINE void take_means(const MeanOf& mean_of) {
    for_each_transform([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
      if constexpr (MeasuringTransform<Transform<K>>) {
        const auto& transform = std::get<K>(transforms_);
        auto& draw = std::get<K>(draws_);
        if (transform.needs_mean(draw)) {
          draw.mean = mean_of.template operator()<K>(
              [&](const PixelBlock& block, float(&quantity)[kLanes])
                  REGTORCH_INLINE_LAMBDA { transform.measure(block, draw, quantity); });
        }
      }
    });
  }

  /// Aims at stage Last: finds the columns of the stages before it that its columns come from.
  template <std::size_t Last>
  REGTORCH_INLINE void aim() {
    const auto width = static_cast<std::size_t>(sizes_[Last].width);
    for (std::size_t x = 0; x < width; ++x) {
      columns_[Last][x] = static_cast<int>(x);
    }
    for_each_reversed<Last>([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
      for (std::size_t x = 0; x < width; ++x) {
        const int to = columns_[K + 1][x];
        columns_[K][x] = to == kOutside ? kOutside : source_column<K>(to);
      }
    });
  }

  /// The row of each stage before it that row y of stage Last comes from, or kOutside.
  template <std::size_t Last>
  REGTORCH_INLINE PerStage<int> rows(int y) const {
    PerStage<int> rows;
    rows[Last] = y;
    for_each_reversed<Last>([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
      rows[K] = rows[K + 1] == kOutside ? kOutside : source_row<K>(rows[K + 1]);
    });
    return rows;
  }

  /// The columns of the input that the columns aimed at come from, or kOutside.
  const std::vector<int>& source_columns() const { return columns_[0]; }

  /// Takes the columns [x, x + kLanes) of one row through transforms 0 to K - 1.
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
  /// Transforms Last - 1 to 0.
  template <std::size_t Last, class Body>
  REGTORCH_INLINE static void for_each_reversed(const Body& body) {
    [&]<std::size_t... K>(std::index_sequence<K...>) REGTORCH_INLINE_LAMBDA {
      (body.template operator()<Last - 1 - K>(), ...);
    }(std::make_index_sequence<Last>{});
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
    // Where a later transform fills, there is no place; the value is thrown away, but nobody's
    // transform should have to expect a place outside its image: hence max(x, 0).
    const auto& transform = std::get<K>(transforms_);
    if constexpr (BlockTransform<Transform<K>>) {
      int places[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        places[i] = std::max(x[i], 0);
      }
      transform.block(block, std::get<K>(draws_), std::max(y, 0), places);
    } else {
      for (int i = 0; i < kLanes; ++i) {
        float red = block.red[i];
        float green = block.green[i];
        float blue = block.blue[i];
        if constexpr (PlainPixelTransform<Transform<K>>) {
          transform.pixel(red, green, blue);
        } else {
          transform.pixel(red, green, blue, std::get<K>(draws_), std::max(y, 0), std::max(x[i], 0));
        }
        block.red[i] = red;
        block.green[i] = green;
        block.blue[i] = blue;
      }
    }
  }

  const std::tuple<Transforms...>& transforms_;
  std::tuple<DrawOf<Transforms>...> draws_{};
  PerStage<ImageSize> sizes_;
  PerStage<std::vector<int>> columns_;
  int padded_width_ = 0;
};

/// A transform, anybody's, must not make the pipeline read beyond an image.
inline void check_source(const char* what, int from, int side) {
  if (from != kOutside && (from < 0 || from >= side)) {
    throw std::out_of_range(std::string("a transform's ") + what + ": wanted 0 to " +
                            std::to_string(side - 1) + " or kOutside, got " + std::to_string(from));
  }
}

}  // namespace detail

}  // namespace regtorch::kernels
