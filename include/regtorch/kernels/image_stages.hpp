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

/// A transform, anybody's, must not make the pipeline read beyond an image.
inline void check_source(const char* what, int from, int side) {
  if (from != kOutside && (from < 0 || from >= side)) {
    throw std::out_of_range(std::string("a transform's ") + what + ": wanted 0 to " +
                            std::to_string(side - 1) + " or kOutside, got " + std::to_string(from));
  }
}

/// Bytes of one row of the input, in the order of the columns aimed at.
struct RowBytes {
  const std::uint8_t* red;
  const std::uint8_t* green;
  const std::uint8_t* blue;
};

/// Images between transforms: stage 0 is the input, stage K the image after the first K transforms.
/// One of them, the last or one that a transform asks for a mean of, is aimed at: its pixels are
/// the ones that `evaluate` makes.
template <class... Transforms>
class ImageStages {
 public:
  static constexpr std::size_t kCount = sizeof...(Transforms);
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
    ImageSize largest = sizes_[kCount];
    for_each_transform([&]<std::size_t K>() {
      if constexpr (MeasuringTransform<Transform<K>>) {
        largest.height = std::max(largest.height, sizes_[K].height);
        largest.width = std::max(largest.width, sizes_[K].width);
      }
    });
    for (std::size_t k = 0; k <= kCount; ++k) {
      rows_[k].resize(whole_blocks(largest.height));
      columns_[k].resize(whole_blocks(largest.width));
    }
  }

  ImageSize out_size() const { return sizes_[kCount]; }
  template <std::size_t K>
  ImageSize size() const {
    return sizes_[K];
  }
  /// The width of the widest stage that is aimed at, in whole blocks.
  int padded_width() const { return static_cast<int>(columns_[0].size()); }

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

  /// Aims at stage Last: finds the rows and columns of the stages before it that its own come from.
  /// Throws std::out_of_range if they are not in the input.
  template <std::size_t Last>
  REGTORCH_INLINE void aim() {
    trace<Last>(rows_, sizes_[Last].height, sizes_[0].height, "source_row",
                [](const auto& transform, const auto& draw, int y)
                    REGTORCH_INLINE_LAMBDA { return transform.source_row(draw, y); });
    trace<Last>(columns_, sizes_[Last].width, sizes_[0].width, "source_column",
                [](const auto& transform, const auto& draw, int x)
                    REGTORCH_INLINE_LAMBDA { return transform.source_column(draw, x); });
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
  /// Whether pixels that have no source become 0 after transform K. Neighbouring geometric
  /// transforms fill with the same zeros: one mask for all of them; and none for the first ones,
  /// since bytes from outside are 0.
  template <std::size_t K>
  static constexpr bool zeroes_after() {
    return is_geometric<K>() && !is_geometric<K + 1>() && first_of_run<K>() > 0;
  }
  /// Where the rows and columns of stage K are kept: a transform that moves none has the same on
  /// both sides.
  template <std::size_t K>
  static constexpr std::size_t slot() {
    if constexpr (K == kCount || is_geometric<K>()) {
      return K;
    } else {
      return slot<K + 1>();
    }
  }

  /// The row of the input that row y of the stage aimed at comes from, or kOutside.
  int source_row(int y) const { return rows_[slot<0>()][static_cast<std::size_t>(y)]; }
  /// The columns of the input that the columns aimed at come from, or kOutside; in whole blocks.
  const int* source_columns() const { return columns_[slot<0>()].data(); }

  /// The rows, and the columns, of stage K that those aimed at come from, or kOutside.
  template <std::size_t K>
  const int* rows() const {
    return rows_[slot<K>()].data();
  }
  template <std::size_t K>
  const int* columns() const {
    return columns_[slot<K>()].data();
  }
  /// What transform K decided.
  template <std::size_t K>
  const DrawOf<Transform<K>>& drawn() const {
    return std::get<K>(draws_);
  }

  /// Takes the columns [x, x + kLanes) of row y of stage K, the one aimed at, through transforms 0
  /// to K - 1 and calls sink(i, red, green, blue) for each.
  template <std::size_t K, class Sink>
  REGTORCH_INLINE void evaluate(const RowBytes& bytes, int y, int x, const Sink& sink) const {
    constexpr std::size_t kFrom = after_last_block<K>();
    if constexpr (kFrom == 0) {
      REGTORCH_INDEPENDENT
      for (int i = 0; i < kLanes; ++i) {
        float red = to_unit(bytes.red[x + i]);
        float green = to_unit(bytes.green[x + i]);
        float blue = to_unit(bytes.blue[x + i]);
        lane<0, K>(y, x + i, red, green, blue);
        sink(i, red, green, blue);
      }
    } else {
      PixelBlock block;
      evaluate<kFrom - 1>(bytes, y, x, into(block));
      apply_block<kFrom - 1>(y, x, block);
      REGTORCH_INDEPENDENT
      for (int i = 0; i < kLanes; ++i) {
        float red = block.red[i];
        float green = block.green[i];
        float blue = block.blue[i];
        lane<kFrom, K>(y, x + i, red, green, blue);
        sink(i, red, green, blue);
      }
    }
  }
  /// A sink that collects what comes.
  static REGTORCH_INLINE auto into(PixelBlock& block) {
    return [&block](int i, float red, float green, float blue) REGTORCH_INLINE_LAMBDA {
      block.red[i] = red;
      block.green[i] = green;
      block.blue[i] = blue;
    };
  }

 private:
  template <class T>
  using PerStage = std::array<T, kCount + 1>;
  using Lines = PerStage<std::vector<int>>;

  static std::size_t whole_blocks(int count) {
    return static_cast<std::size_t>((count + kLanes - 1) / kLanes * kLanes);
  }
  REGTORCH_INLINE static float to_unit(std::uint8_t byte) {
    return static_cast<float>(byte) * (1.0f / 255.0f);
  }

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

  /// One more than the last transform before K that brings its own loops, or 0.
  template <std::size_t K>
  static constexpr std::size_t after_last_block() {
    if constexpr (K > 0) {
      if constexpr (BlockTransform<Transform<K - 1>>) {
        return K;
      } else {
        return after_last_block<K - 1>();
      }
    }
    return 0;
  }

  /// Fills `lines` with what the `count` rows or columns of stage Last come from, in all stages.
  template <std::size_t Last, class SourceOf>
  REGTORCH_INLINE void trace(Lines& lines, int count, int side, const char* what,
                             const SourceOf& source_of) const {
    int least = 0;
    int greatest = 0;
    for (int begin = 0; begin < count; begin += kLanes) {
      // In arrays of their own, which nothing else points to: that lets the compiler vectorise.
      int line[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        line[i] = std::min(begin + i, count - 1);
      }
      const auto keep = [&](std::vector<int>& of_stage) REGTORCH_INLINE_LAMBDA {
        std::copy_n(line, kLanes, of_stage.data() + begin);
      };
      keep(lines[slot<Last>()]);
      for_each_reversed<Last>([&]<std::size_t K>() REGTORCH_INLINE_LAMBDA {
        if constexpr (is_geometric<K>()) {
          const auto& transform = std::get<K>(transforms_);
          const auto draw = std::get<K>(draws_);
          for (int i = 0; i < kLanes; ++i) {
            const int from = source_of(transform, draw, std::max(line[i], 0));
            line[i] = line[i] == kOutside ? kOutside : from;
          }
          keep(lines[K]);
        }
      });
      for (int i = 0; i < kLanes; ++i) {
        least = std::min(least, line[i]);
        greatest = std::max(greatest, line[i]);
      }
    }
    check_source(what, least, side);
    check_source(what, greatest, side);
  }

  /// Takes column x of row y through the transforms First to Last - 1, none of which has loops.
  template <std::size_t First, std::size_t Last>
  REGTORCH_INLINE void lane(int y, int x, float& red, float& green, float& blue) const {
    if constexpr (First < Last) {
      lane<First, Last - 1>(y, x, red, green, blue);
      constexpr std::size_t K = Last - 1;
      if constexpr (is_geometric<K>()) {
        if constexpr (zeroes_after<K>()) {
          constexpr std::size_t kFirst = first_of_run<K>();
          const bool inside = (row<kFirst>(y) | column<kFirst>(x)) >= 0;
          red = inside ? red : 0.0f;
          green = inside ? green : 0.0f;
          blue = inside ? blue : 0.0f;
        }
      } else if constexpr (PlainPixelTransform<Transform<K>>) {
        std::get<K>(transforms_).pixel(red, green, blue);
      } else {
        std::get<K>(transforms_)
            .pixel(red, green, blue, std::get<K>(draws_), place(row<K>(y)), place(column<K>(x)));
      }
    }
  }
  template <std::size_t K>
  REGTORCH_INLINE void apply_block(int y, int x, PixelBlock& block) const {
    int places[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      places[i] = place(column<K>(x + i));
    }
    std::get<K>(transforms_).block(block, std::get<K>(draws_), place(row<K>(y)), places);
  }

  template <std::size_t K>
  REGTORCH_INLINE int row(int y) const {
    return rows_[slot<K>()][static_cast<std::size_t>(y)];
  }
  template <std::size_t K>
  REGTORCH_INLINE int column(int x) const {
    return columns_[slot<K>()][static_cast<std::size_t>(x)];
  }
  /// Where a later transform fills, there is no place; the value is thrown away, but nobody's
  /// transform should have to expect a place outside its image.
  REGTORCH_INLINE static int place(int line) { return std::max(line, 0); }

  const std::tuple<Transforms...>& transforms_;
  std::tuple<DrawOf<Transforms>...> draws_{};
  PerStage<ImageSize> sizes_;
  Lines rows_;
  Lines columns_;
};

}  // namespace detail

}  // namespace regtorch::kernels
