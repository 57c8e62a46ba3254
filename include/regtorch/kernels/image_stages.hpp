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

/// Pixels that go through the transforms side by side. 32, since g++ -O3 unrolls loops of up to 16
/// rounds whole and then fails to vectorise them.
inline constexpr int kLanes = 32;

namespace detail {

struct PixelBlock {
  float red[kLanes];
  float green[kLanes];
  float blue[kLanes];
};

template <class Tuple>
struct DrawsOfTuple;
template <class... Transforms>
struct DrawsOfTuple<std::tuple<Transforms...>> {
  using type = std::tuple<DrawOf<Transforms>...>;
};
/// The decisions of all transforms of a tuple for one image.
template <class Tuple>
using DrawsOf = typename DrawsOfTuple<Tuple>::type;

/// Images between transforms: stage 0 is the input, stage K the image after the first K transforms,
/// stage N the output. Those of the tuple beyond the first N take no part.
template <class Tuple, std::size_t N>
class ImageStages {
 public:
  static constexpr std::size_t kCount = N;
  template <class T>
  using PerStage = std::array<T, kCount + 1>;
  template <std::size_t K>
  using Transform = std::tuple_element_t<K, Tuple>;

  ImageStages(const Tuple& transforms, ImageSize in) : transforms_(transforms) {
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
      std::get<K>(draws_) =
          draw_for(std::get<K>(transforms_),
                   RandomWords({stream.seed, stream.pass, purpose}, index), sizes_[K]);
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

  /// The decisions of transform K for the image drawn for.
  template <std::size_t K>
  DrawOf<Transform<K>>& draw_of() {
    return std::get<K>(draws_);
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
        // Where a later transform fills, there is no place; the value is thrown away, but nobody's
        // transform should have to expect a place outside its image.
        transform.pixel(red, green, blue, std::get<K>(draws_), std::max(y, 0), std::max(x[i], 0));
      }
      block.red[i] = red;
      block.green[i] = green;
      block.blue[i] = blue;
    }
  }

  const Tuple& transforms_;
  DrawsOf<Tuple> draws_{};
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
