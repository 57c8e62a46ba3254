#pragma once

#include <algorithm>
#include <cstdint>

#include "regtorch/kernels/for_lanes.hpp"
#include "regtorch/kernels/gelu.hpp"
#include "regtorch/kernels/lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// Batch normalization with GELU after it, on rows of channels (an image batch that is
/// channels_last): the passes over memory that it takes, each over a part of the rows, so that many
/// threads can share them. Elements are of a format of float_formats.hpp, arithmetic is float32.
///
///     forward    moments: x read once;        activations: x read, y written
///     backward   gradient sums: x, dy read;   input gradients: x, dy read, dx written
///
/// 12 bytes an element forward and 20 backward in float32, half in bfloat16. Nothing but x is kept
/// for the backward passes: what they need of GELU they compute again, faster than memory would
/// bring it.
namespace regtorch::kernels {

/// What a number of a format (see float_formats.hpp) is in memory.
template <class Format>
using Stored = typename Format::Stored;

namespace detail {

/// Rows whose sums are added up in float32 before they go on in float64.
inline constexpr std::int64_t kRowsOfFloats = 64;
/// Some numbers in registers. As arrays of the function's own, which nothing else can write to.
struct Lanes {
  float v[kLanes];

  template <class Format>
  REGTORCH_INLINE void write(Stored<Format>* to, auto count) const {
    for (int i = 0; i < count; ++i) {
      to[i] = Format::write(v[i]);
    }
  }
};

/// Two sums over the rows for each channel: term(row, c, count, a, b) gives the terms of some
/// channels. They are added to first and second, [channels].
template <class Term>
REGTORCH_INLINE void sum_rows(std::int64_t rows, std::int64_t channels, double* first,
                              double* second, const Term& term) {
  for (std::int64_t begin = 0; begin < rows; begin += kRowsOfFloats) {
    const std::int64_t end = std::min(rows, begin + kRowsOfFloats);
    for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
      float sum_a[kLanes] = {};
      float sum_b[kLanes] = {};
      for (std::int64_t row = begin; row < end; ++row) {
        Lanes a = {};
        Lanes b = {};
        term(row, c, count, a, b);
        for (int i = 0; i < kLanes; ++i) {
          sum_a[i] += a.v[i];
          sum_b[i] += b.v[i];
        }
      }
      for (int i = 0; i < count; ++i) {
        first[c + i] += static_cast<double>(sum_a[i]);
        second[c + i] += static_cast<double>(sum_b[i]);
      }
    });
  }
}

}  // namespace detail

/// Of each channel's numbers x_r in these rows: `sums` gets the sum of x_r - pivot and `squares`
/// that of (x_r - pivot)^2, [channels] each. A pivot near the numbers keeps what their squares have
/// in common from swallowing how they differ.
template <class Format>
void batch_norm_moments(const Stored<Format>* x, std::int64_t rows, std::int64_t channels,
                        const float* pivots, double* sums, double* squares, Isa isa) {
  std::fill(sums, sums + channels, 0.0);
  std::fill(squares, squares + channels, 0.0);
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    detail::sum_rows(rows, channels, sums, squares,
                     [&](std::int64_t row, std::int64_t c, auto count, detail::Lanes& a,
                         detail::Lanes& b) REGTORCH_INLINE_LAMBDA {
                       const Stored<Format>* from = x + row * channels + c;
                       for (int i = 0; i < count; ++i) {
                         a.v[i] = Format::read(from[i]) - pivots[c + i];
                         b.v[i] = a.v[i] * a.v[i];
                       }
                     });
  });
}

/// What a batch normalization does to a channel: (x - mean) * scale + shift.
struct BatchNormChannels {
  const float* mean;   ///< [channels]
  const float* scale;  ///< weight / sqrt(variance + eps)
  const float* shift;  ///< bias
};

/// y = gelu((x - mean) * scale + shift).
template <class Format>
void batch_norm_gelu(const Stored<Format>* x, Stored<Format>* y, std::int64_t rows,
                     std::int64_t channels, const BatchNormChannels& norm, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t row = 0; row < rows; ++row) {
      for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
        const std::int64_t at = row * channels + c;
        detail::Lanes lanes;
        for (int i = 0; i < count; ++i) {
          const float u =
              (Format::read(x[at + i]) - norm.mean[c + i]) * norm.scale[c + i] + norm.shift[c + i];
          lanes.v[i] = u * normal_at(u).cdf;
        }
        lanes.write<Format>(y + at, count);
      });
    }
  });
}

namespace detail {

/// Of some channels of a row: x - mean, and the gradient before GELU,
/// dy gelu'((x - mean) * scale + shift).
template <class Format>
REGTORCH_INLINE void before_gelu(const Stored<Format>* x, const Stored<Format>* dy,
                                 const BatchNormChannels& norm, std::int64_t c, auto count,
                                 Lanes& centred, Lanes& gradient) {
  for (int i = 0; i < count; ++i) {
    centred.v[i] = Format::read(x[i]) - norm.mean[c + i];
    const float u = centred.v[i] * norm.scale[c + i] + norm.shift[c + i];
    const Normal normal = normal_at(u);
    gradient.v[i] = Format::read(dy[i]) * (normal.cdf + u * normal.density);
  }
}

}  // namespace detail

/// With dz_r the gradient before GELU: `sums` gets the sum of dz_r and `products` that of
/// dz_r (x_r - mean), [channels] each.
template <class Format>
void batch_norm_gelu_gradient_sums(const Stored<Format>* x, const Stored<Format>* dy,
                                   std::int64_t rows, std::int64_t channels,
                                   const BatchNormChannels& norm, double* sums, double* products,
                                   Isa isa) {
  std::fill(sums, sums + channels, 0.0);
  std::fill(products, products + channels, 0.0);
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    detail::sum_rows(rows, channels, sums, products,
                     [&](std::int64_t row, std::int64_t c, auto count, detail::Lanes& gradient,
                         detail::Lanes& product) REGTORCH_INLINE_LAMBDA {
                       const std::int64_t at = row * channels + c;
                       detail::Lanes centred;
                       detail::before_gelu<Format>(x + at, dy + at, norm, c, count, centred,
                                                   gradient);
                       for (int i = 0; i < count; ++i) {
                         product.v[i] = gradient.v[i] * centred.v[i];
                       }
                     });
  });
}

/// dx = dz * scale + (x - mean) * slope + offset, where slope and offset, [channels] each, carry
/// what the batch's mean and variance hand back.
template <class Format>
void batch_norm_gelu_input_gradient(const Stored<Format>* x, const Stored<Format>* dy,
                                    Stored<Format>* dx, std::int64_t rows, std::int64_t channels,
                                    const BatchNormChannels& norm, const float* slope,
                                    const float* offset, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t row = 0; row < rows; ++row) {
      for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
        const std::int64_t at = row * channels + c;
        detail::Lanes centred;
        detail::Lanes lanes;
        detail::before_gelu<Format>(x + at, dy + at, norm, c, count, centred, lanes);
        for (int i = 0; i < count; ++i) {
          lanes.v[i] =
              lanes.v[i] * norm.scale[c + i] + (centred.v[i] * slope[c + i] + offset[c + i]);
        }
        lanes.write<Format>(dx + at, count);
      });
    }
  });
}

}  // namespace regtorch::kernels
