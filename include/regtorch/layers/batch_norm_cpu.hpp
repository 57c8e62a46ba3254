#pragma once

#include <cstdint>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/batch_norm.hpp"

/// The passes of kernels/batch_norm.hpp on images that are channels_last.
namespace regtorch::detail {

/// Channels-last images as the kernels see them.
struct ImageRows {
  explicit ImageRows(const at::Tensor& images)
      : channels(images.size(1)), rows(images.numel() / channels) {}

  std::int64_t channels;
  std::int64_t rows;
};

/// What a batch normalization did to a batch: float32 [C] each.
struct BatchNormOfBatch {
  at::Tensor mean;
  at::Tensor variance;  ///< biased
  at::Tensor inv_std;   ///< 1 / sqrt(variance + eps)
  at::Tensor scale;     ///< weight * inv_std
  at::Tensor shift;     ///< the bias

  kernels::BatchNormChannels channels() const {
    return {mean.const_data_ptr<float>(), scale.const_data_ptr<float>(),
            shift.const_data_ptr<float>()};
  }
};

/// Rows in a piece of work.
inline constexpr std::int64_t kRowsInPiece = 512;

/// A tensor's numbers, as kernels of the format take them; null if it is undefined.
template <class Format>
const kernels::Stored<Format>* numbers_of(const at::Tensor& x) {
  return x.defined() ? static_cast<const kernels::Stored<Format>*>(x.const_data_ptr()) : nullptr;
}
template <class Format>
kernels::Stored<Format>* mutable_numbers_of(const at::Tensor& x) {
  return x.defined() ? static_cast<kernels::Stored<Format>*>(x.mutable_data_ptr()) : nullptr;
}

/// Where a piece begins; null stays null.
template <class T>
T* from(T* numbers, std::int64_t at) {
  return numbers == nullptr ? nullptr : numbers + at;
}

/// Two sums a channel, float64 [2,C], of what `pass` sums up in each piece of the rows: the same
/// for any number of threads.
///
/// @param pass  callable (first number, rows, sums, other sums), the latter [C]
template <class Pass>
at::Tensor sums_of_pieces(const ImageRows& in, const Pass& pass) {
  const std::int64_t pieces = (in.rows + kRowsInPiece - 1) / kRowsInPiece;
  const at::Tensor sums = at::empty({pieces, 2, in.channels}, at::kDouble);
  auto* const all = sums.mutable_data_ptr<double>();
  parallel_for(in.rows, kRowsInPiece, [&](std::int64_t begin, std::int64_t end) {
    double* const mine = all + begin / kRowsInPiece * 2 * in.channels;
    pass(begin * in.channels, end - begin, mine, mine + in.channels);
  });
  return sums.sum(0);
}

/// Mean and variance of each channel.
inline BatchNormOfBatch batch_moments(const at::Tensor& x, const at::Tensor& weight,
                                      const at::Tensor& bias, double eps) {
  const ImageRows in(x);
  at::Tensor pivots = at::empty({in.channels}, at::kFloat);
  at::Tensor sums;
  dispatch_format(x.scalar_type(), [&](auto format) {
    using Format = decltype(format);
    const auto* const numbers = numbers_of<Format>(x);
    auto* const pivot = pivots.mutable_data_ptr<float>();
    for (std::int64_t c = 0; c < in.channels; ++c) {
      pivot[c] = Format::read(numbers[c]);
    }
    sums =
        sums_of_pieces(in, [&](std::int64_t at, std::int64_t rows, double* sum, double* squares) {
          kernels::batch_norm_moments<Format>(numbers + at, rows, in.channels, pivot, sum, squares,
                                              kernels::active_isa());
        });
  });
  const auto count = static_cast<double>(in.rows);
  const at::Tensor from_pivot = sums[0] / count;
  const at::Tensor variance = (sums[1] / count - from_pivot.square()).clamp_min(0);
  const at::Tensor inv_std = (variance + eps).rsqrt();
  return {(from_pivot + pivots).to(at::kFloat), variance.to(at::kFloat), inv_std.to(at::kFloat),
          (weight * inv_std).to(at::kFloat), bias.contiguous()};
}

/// Activation((x - mean) * scale + shift + shortcut), channel by channel.
///
/// @param shortcut  undefined, or as x lies in memory
template <class Activation>
at::Tensor normalized(const at::Tensor& x, const at::Tensor& shortcut,
                      const kernels::BatchNormChannels& norm) {
  const ImageRows in(x);
  at::Tensor y = at::empty_like(x);
  dispatch_format(x.scalar_type(), [&](auto format) {
    using Format = decltype(format);
    const auto* const numbers = numbers_of<Format>(x);
    const auto* const added = numbers_of<Format>(shortcut);
    auto* const made = mutable_numbers_of<Format>(y);
    parallel_for(in.rows, kRowsInPiece, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t at = begin * in.channels;
      kernels::batch_norm<Format, Activation>(numbers + at, from(added, at), made + at, end - begin,
                                              in.channels, norm, kernels::active_isa());
    });
  });
  return y;
}

/// The gradients of what went in.
struct BatchNormGradients {
  at::Tensor input;  ///< undefined if it is not wanted
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor shortcut;  ///< undefined if there was none
};

/// dz * scale + (x - mean) * slope + offset, dz being the gradient before the activation.
template <class Format, class Activation>
at::Tensor input_gradient(const at::Tensor& x, const at::Tensor& incoming,
                          const kernels::BatchNormChannels& norm, const at::Tensor& slope,
                          const at::Tensor& offset) {
  const ImageRows in(x);
  at::Tensor gradient = at::empty_like(x);
  const auto* const numbers = numbers_of<Format>(x);
  const auto* const dy = numbers_of<Format>(incoming);
  auto* const dx = mutable_numbers_of<Format>(gradient);
  parallel_for(in.rows, kRowsInPiece, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * in.channels;
    kernels::batch_norm_input_gradient<Format, Activation>(
        numbers + at, dy + at, dx + at, end - begin, in.channels, norm,
        slope.const_data_ptr<float>(), offset.const_data_ptr<float>(), kernels::active_isa());
  });
  return gradient;
}

/// @param y         the output if there was a shortcut, or else undefined
/// @param incoming  the output's gradient, as x lies in memory
template <class Activation>
BatchNormGradients batch_norm_gradients(const at::Tensor& x, const at::Tensor& y,
                                        const at::Tensor& incoming, const BatchNormOfBatch& norm,
                                        bool of_input) {
  const ImageRows in(x);
  BatchNormGradients gradients;
  if (y.defined()) {
    gradients.shortcut = at::empty_like(x);
  }
  dispatch_format(x.scalar_type(), [&](auto format) {
    using Format = decltype(format);
    const auto* const numbers = numbers_of<Format>(x);
    const auto* const outputs = numbers_of<Format>(y);
    const auto* const dy = numbers_of<Format>(incoming);
    auto* const dz = mutable_numbers_of<Format>(gradients.shortcut);
    const kernels::BatchNormChannels channels = norm.channels();
    const at::Tensor sums =
        sums_of_pieces(in, [&](std::int64_t at, std::int64_t rows, double* sum, double* products) {
          kernels::batch_norm_gradient_sums<Format, Activation>(
              numbers + at, from(outputs, at), dy + at, from(dz, at), rows, in.channels, channels,
              sum, products, kernels::active_isa());
        });
    gradients.bias = sums[0].to(at::kFloat);
    gradients.weight = (sums[1] * norm.inv_std).to(at::kFloat);
    if (!of_input) {
      return;
    }
    const at::Tensor by_row = norm.scale / static_cast<double>(in.rows);
    const at::Tensor offset = (sums[0] * -by_row).to(at::kFloat);
    const at::Tensor slope = (sums[1] * -by_row * norm.inv_std.square()).to(at::kFloat);
    gradients.input =
        y.defined() ? input_gradient<Format, kernels::Identity>(x, gradients.shortcut, channels,
                                                                slope, offset)
                    : input_gradient<Format, Activation>(x, incoming, channels, slope, offset);
  });
  return gradients;
}

}  // namespace regtorch::detail
