#pragma once

#include <algorithm>
#include <cstdint>

#include "regtorch/kernels/for_lanes.hpp"
#include "regtorch/kernels/lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// The largest of each square of 2x2 pixels, of images that are channels_last, and which one it was
/// in a byte, where LibTorch keeps eight: [rows, columns, channels] to [rows / 2, columns / 2,
/// channels], a last odd row or column left out. Elements are of a format of
/// float_formats.hpp; the gradient's kernel only moves them.
namespace regtorch::kernels {

/// The pixels of an image, and the numbers of each.
struct PoolSize {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t channels;
};

namespace detail {

/// Where output row y's square begins, of the output column x.
REGTORCH_INLINE std::int64_t square(const PoolSize& in, std::int64_t y, std::int64_t x) {
  return (2 * y * in.columns + 2 * x) * in.channels;
}

/// Some channels of an output pixel.
template <class Format, class T = typename Format::Stored>
REGTORCH_INLINE void pool_pixel(const T* from, std::int64_t row, std::int64_t column, T* to,
                                std::uint8_t* which, auto count) {
  float best[kLanes];
  std::int32_t place[kLanes];
  for (int i = 0; i < count; ++i) {
    best[i] = Format::read(from[i]);
    place[i] = 0;
  }
  // One after the other, not in a loop, which g++ at -O3 would turn inside out.
  const auto offer = [&](const T* numbers, std::int32_t k) REGTORCH_INLINE_LAMBDA {
    for (int i = 0; i < count; ++i) {
      const float number = Format::read(numbers[i]);
      // As LibTorch: the first of equal ones, but the last nan.
      const bool take = (number > best[i]) | (number != number);
      best[i] = take ? number : best[i];
      place[i] = take ? k : place[i];
    }
  };
  offer(from + column, 1);
  offer(from + row, 2);
  offer(from + row + column, 3);
  for (int i = 0; i < count; ++i) {
    to[i] = Format::write(best[i]);
  }
  for (int i = 0; i < count; ++i) {
    which[i] = static_cast<std::uint8_t>(place[i]);
  }
}

/// Some channels of the four pixels that an output pixel is of.
template <class T>
REGTORCH_INLINE void unpool_pixel(const T* from, const std::uint8_t* which, T* to, std::int64_t row,
                                  std::int64_t column, auto count) {
  T number[kLanes];
  std::int32_t place[kLanes];
  for (int i = 0; i < count; ++i) {
    number[i] = from[i];
    place[i] = which[i];
  }
  const auto put = [&](T* corner, std::int32_t k) REGTORCH_INLINE_LAMBDA {
    for (int i = 0; i < count; ++i) {
      corner[i] = place[i] == k ? number[i] : T{0};
    }
  };
  put(to, 0);
  put(to + column, 1);
  put(to + row, 2);
  put(to + row + column, 3);
}

}  // namespace detail

/// Output row `y` of an image: `to` and `which` are the row's, [columns / 2, channels].
template <class Format, class T = typename Format::Stored>
void max_pool_row(const T* image, const PoolSize& in, std::int64_t y, T* to, std::uint8_t* which,
                  Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    const std::int64_t row = in.columns * in.channels;
    for (std::int64_t x = 0; x < in.columns / 2; ++x) {
      const T* const from = image + detail::square(in, y, x);
      const std::int64_t out = x * in.channels;
      for_lanes(in.channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
        detail::pool_pixel<Format>(from + c, row, in.channels, to + out + c, which + out + c,
                                   count);
      });
    }
  });
}

/// The gradient of the image's rows that output row `y` is of, and of a last odd row with those
/// above it; `from` and `which` are the output row's. Every element of these rows is written.
template <class T>
void max_pool_row_gradient(const T* from, const std::uint8_t* which, const PoolSize& in,
                           std::int64_t y, T* image, Isa isa) {
  const std::int64_t row = in.columns * in.channels;
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t x = 0; x < in.columns / 2; ++x) {
      T* const to = image + detail::square(in, y, x);
      const std::int64_t out = x * in.channels;
      for_lanes(in.channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
        detail::unpool_pixel(from + out + c, which + out + c, to + c, row, in.channels, count);
      });
    }
  });
  if (in.columns % 2 != 0) {
    for (std::int64_t r = 2 * y; r < 2 * y + 2; ++r) {
      T* const end = image + (r + 1) * row;
      std::fill(end - in.channels, end, T{0});
    }
  }
  if (in.rows % 2 != 0 && y == in.rows / 2 - 1) {
    T* const last = image + (in.rows - 1) * row;
    std::fill(last, last + row, T{0});
  }
}

}  // namespace regtorch::kernels
