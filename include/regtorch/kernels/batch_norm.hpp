#pragma once

#include <cstdint>

#include "regtorch/kernels/activations.hpp"
#include "regtorch/kernels/for_lanes.hpp"
#include "regtorch/kernels/row_sums.hpp"
#include "regtorch/kernels/simd.hpp"

/// Batch normalization with an activation after it, on rows of channels (an image batch that is
/// channels_last): the passes over memory that it takes, each over a part of the rows, so that many
/// threads can share them. Elements are of a format of float_formats.hpp, arithmetic is float32.
///
///     forward    moments: x read once;        activations: x read, y written
///     backward   gradient sums: x, dy read;   input gradients: x, dy read, dx written
///
/// 12 bytes an element forward and 20 backward in float32, half in bfloat16. Nothing but x is kept
/// for the backward passes: what they need of the activation they compute again, faster than memory
/// would bring it.
///
/// A shortcut may be added before the activation. To compute that again would take both x and the
/// shortcut, so then y is kept, and the gradient before the activation, which is the shortcut's, is
/// written by the sums and read for the input:
///
///     forward    moments: x read once;                 activations: x, shortcut read, y written
///     backward   gradient sums: x, y, dy read, dz written;   input gradients: x, dz read, dx
///     written
///
/// 16 bytes an element forward and 28 backward.
namespace regtorch::kernels {

/// Of each channel's numbers x_r in these rows: `sums` gets the sum of x_r - pivot and `squares`
/// that of (x_r - pivot)^2, [channels] each. A pivot near the numbers keeps what their squares have
/// in common from swallowing how they differ.
template <class Format>
void batch_norm_moments(const Stored<Format>* x, std::int64_t rows, std::int64_t channels,
                        const float* pivots, double* sums, double* squares, Isa isa) {
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

/// y = activation((x - mean) * scale + shift + shortcut); a null shortcut is none.
template <class Format, class Activation>
void batch_norm(const Stored<Format>* x, const Stored<Format>* shortcut, Stored<Format>* y,
                std::int64_t rows, std::int64_t channels, const BatchNormChannels& norm, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t row = 0; row < rows; ++row) {
      for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
        const std::int64_t at = row * channels + c;
        detail::Lanes u;
        for (int i = 0; i < count; ++i) {
          u.v[i] =
              (Format::read(x[at + i]) - norm.mean[c + i]) * norm.scale[c + i] + norm.shift[c + i];
        }
        if (shortcut != nullptr) {
          for (int i = 0; i < count; ++i) {
            u.v[i] += Format::read(shortcut[at + i]);
          }
        }
        for (int i = 0; i < count; ++i) {
          u.v[i] = Activation::value(u.v[i]);
        }
        u.write<Format>(y + at, count);
      });
    }
  });
}

namespace detail {

/// Of some channels of a row: x - mean, and the gradient before the activation. Its derivative is
/// taken at (x - mean) * scale + shift, or where y is given at that.
template <class Format, class Activation>
REGTORCH_INLINE void before_activation(const Stored<Format>* x, const Stored<Format>* y,
                                       const Stored<Format>* dy, const BatchNormChannels& norm,
                                       std::int64_t c, auto count, Lanes& centred,
                                       Lanes& gradient) {
  for (int i = 0; i < count; ++i) {
    centred.v[i] = Format::read(x[i]) - norm.mean[c + i];
  }
  if (y != nullptr) {
    for (int i = 0; i < count; ++i) {
      gradient.v[i] = Activation::gradient(Format::read(y[i]), Format::read(dy[i]));
    }
  } else {
    for (int i = 0; i < count; ++i) {
      const float u = centred.v[i] * norm.scale[c + i] + norm.shift[c + i];
      gradient.v[i] = Activation::gradient(u, Format::read(dy[i]));
    }
  }
}

}  // namespace detail

/// With dz_r the gradient before the activation: `sums` gets the sum of dz_r and `products` that of
/// dz_r (x_r - mean), [channels] each.
///
/// With a shortcut y and dz are not null, and dz_r is written to the latter. The activation is then
/// one whose derivative is the same at its output (Relu).
template <class Format, class Activation>
void batch_norm_gradient_sums(const Stored<Format>* x, const Stored<Format>* y,
                              const Stored<Format>* dy, Stored<Format>* dz, std::int64_t rows,
                              std::int64_t channels, const BatchNormChannels& norm, double* sums,
                              double* products, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    detail::sum_rows(rows, channels, sums, products,
                     [&](std::int64_t row, std::int64_t c, auto count, detail::Lanes& gradient,
                         detail::Lanes& product) REGTORCH_INLINE_LAMBDA {
                       const std::int64_t at = row * channels + c;
                       detail::Lanes centred;
                       detail::before_activation<Format, Activation>(
                           x + at, y == nullptr ? nullptr : y + at, dy + at, norm, c, count,
                           centred, gradient);
                       if (dz != nullptr) {
                         gradient.write<Format>(dz + at, count);
                       }
                       for (int i = 0; i < count; ++i) {
                         product.v[i] = gradient.v[i] * centred.v[i];
                       }
                     });
  });
}

/// dx = dz * scale + (x - mean) * slope + offset, where slope and offset, [channels] each, carry
/// what the batch's mean and variance hand back. With dz in the place of dy the activation is
/// Identity.
template <class Format, class Activation>
void batch_norm_input_gradient(const Stored<Format>* x, const Stored<Format>* dy,
                               Stored<Format>* dx, std::int64_t rows, std::int64_t channels,
                               const BatchNormChannels& norm, const float* slope,
                               const float* offset, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    for (std::int64_t row = 0; row < rows; ++row) {
      for_lanes(channels, [&](std::int64_t c, auto count) REGTORCH_INLINE_LAMBDA {
        const std::int64_t at = row * channels + c;
        detail::Lanes centred;
        detail::Lanes lanes;
        detail::before_activation<Format, Activation>(x + at, nullptr, dy + at, norm, c, count,
                                                      centred, lanes);
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
