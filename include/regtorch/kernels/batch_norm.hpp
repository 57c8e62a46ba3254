#pragma once

#include <cstdint>

#include "regtorch/kernels/activations.hpp"
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

/// What a number of a format (see float_formats.hpp) is in memory.
template <class Format>
using Stored = typename Format::Stored;

/// Of each channel's numbers x_r in these rows: `sums` gets the sum of x_r - pivot and `squares`
/// that of (x_r - pivot)^2, [channels] each. A pivot near the numbers keeps what their squares have
/// in common from swallowing how they differ.
template <class Format>
void batch_norm_moments(const Stored<Format>* x, std::int64_t rows, std::int64_t channels,
                        const float* pivots, double* sums, double* squares, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    detail::sum_rows(rows, channels, sums, squares,
                     [&](std::int64_t at, std::int64_t c) REGTORCH_INLINE_LAMBDA {
                       const float d = Format::read(x[at]) - pivots[c];
                       return detail::Terms{d, d * d};
                     });
  });
}

/// What a batch normalization does to a channel: (x - mean) * scale + shift.
struct BatchNormChannels {
  const float* mean;   ///< [channels]
  const float* scale;  ///< weight / sqrt(variance + eps)
  const float* shift;  ///< bias

  REGTORCH_INLINE float normalized(float centred, std::int64_t c) const {
    return centred * scale[c] + shift[c];
  }
};

/// y = activation((x - mean) * scale + shift + shortcut); a null shortcut is none.
template <class Format, class Activation>
void batch_norm(const Stored<Format>* x, const Stored<Format>* shortcut, Stored<Format>* y,
                std::int64_t rows, std::int64_t channels, const BatchNormChannels& norm, Isa isa) {
  const auto u = [&](std::int64_t at, std::int64_t c) REGTORCH_INLINE_LAMBDA {
    return norm.normalized(Format::read(x[at]) - norm.mean[c], c);
  };
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    if (shortcut == nullptr) {
      detail::for_elements(rows, channels,
                           [&](std::int64_t at, std::int64_t c) REGTORCH_INLINE_LAMBDA {
                             y[at] = Format::write(Activation::value(u(at, c)));
                           });
    } else {
      detail::for_elements(
          rows, channels, [&](std::int64_t at, std::int64_t c) REGTORCH_INLINE_LAMBDA {
            y[at] = Format::write(Activation::value(u(at, c) + Format::read(shortcut[at])));
          });
    }
  });
}

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
    if (y == nullptr) {
      detail::sum_rows(rows, channels, sums, products,
                       [&](std::int64_t at, std::int64_t c) REGTORCH_INLINE_LAMBDA {
                         const float centred = Format::read(x[at]) - norm.mean[c];
                         const float gradient = Activation::gradient(norm.normalized(centred, c),
                                                                     Format::read(dy[at]));
                         return detail::Terms{gradient, gradient * centred};
                       });
    } else {
      detail::sum_rows(
          rows, channels, sums, products,
          [&](std::int64_t at, std::int64_t c) REGTORCH_INLINE_LAMBDA {
            const float gradient = Activation::gradient(Format::read(y[at]), Format::read(dy[at]));
            dz[at] = Format::write(gradient);
            return detail::Terms{gradient, gradient * (Format::read(x[at]) - norm.mean[c])};
          });
    }
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
    detail::for_elements(
        rows, channels, [&](std::int64_t at, std::int64_t c) REGTORCH_INLINE_LAMBDA {
          const float centred = Format::read(x[at]) - norm.mean[c];
          const float gradient =
              Activation::gradient(norm.normalized(centred, c), Format::read(dy[at]));
          dx[at] = Format::write(gradient * norm.scale[c] + (centred * slope[c] + offset[c]));
        });
  });
}

}  // namespace regtorch::kernels
