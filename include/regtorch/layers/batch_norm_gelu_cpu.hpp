#pragma once

#include <cstdint>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/batch_norm_gelu.hpp"

/// The passes of kernels/batch_norm_gelu.hpp on images that are channels_last.
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

/// Two sums a channel, float64 [2,C], of what `pass` sums up in each piece of the rows: the same
/// for any number of threads.
///
/// @param pass  callable (first row, rows, sums, other sums), the latter [C]
template <class Pass>
at::Tensor sums_of_pieces(const ImageRows& in, const Pass& pass) {
  const std::int64_t pieces = (in.rows + kRowsInPiece - 1) / kRowsInPiece;
  const at::Tensor sums = at::empty({pieces, 2, in.channels}, at::kDouble);
  auto* const all = sums.mutable_data_ptr<double>();
  parallel_for(in.rows, kRowsInPiece, [&](std::int64_t begin, std::int64_t end) {
    double* const mine = all + begin / kRowsInPiece * 2 * in.channels;
    pass(begin, end - begin, mine, mine + in.channels);
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
    const auto* const from = static_cast<const kernels::Stored<Format>*>(x.const_data_ptr());
    auto* const pivot = pivots.mutable_data_ptr<float>();
    for (std::int64_t c = 0; c < in.channels; ++c) {
      pivot[c] = Format::read(from[c]);
    }
    sums = sums_of_pieces(
        in, [&](std::int64_t begin, std::int64_t rows, double* sum, double* squares) {
          kernels::batch_norm_moments<Format>(from + begin * in.channels, rows, in.channels, pivot,
                                              sum, squares, kernels::active_isa());
        });
  });
  const auto count = static_cast<double>(in.rows);
  const at::Tensor from_pivot = sums[0] / count;
  const at::Tensor variance = (sums[1] / count - from_pivot.square()).clamp_min(0);
  const at::Tensor inv_std = (variance + eps).rsqrt();
  return {(from_pivot + pivots).to(at::kFloat), variance.to(at::kFloat), inv_std.to(at::kFloat),
          (weight * inv_std).to(at::kFloat), bias.contiguous()};
}

/// gelu((x - mean) * scale + shift), channel by channel.
inline at::Tensor normalized_gelu(const at::Tensor& x, const kernels::BatchNormChannels& norm) {
  const ImageRows in(x);
  at::Tensor y = at::empty_like(x);
  dispatch_format(x.scalar_type(), [&](auto format) {
    using Format = decltype(format);
    const auto* const from = static_cast<const kernels::Stored<Format>*>(x.const_data_ptr());
    auto* const to = static_cast<kernels::Stored<Format>*>(y.mutable_data_ptr());
    parallel_for(in.rows, kRowsInPiece, [&](std::int64_t begin, std::int64_t end) {
      kernels::batch_norm_gelu<Format>(from + begin * in.channels, to + begin * in.channels,
                                       end - begin, in.channels, norm, kernels::active_isa());
    });
  });
  return y;
}

/// The gradients of the batch, the weight and the bias.
struct BatchNormGradients {
  at::Tensor input;  ///< undefined if it is not wanted
  at::Tensor weight;
  at::Tensor bias;
};

/// @param incoming  the output's gradient, as x lies in memory
inline BatchNormGradients batch_norm_gelu_gradients(const at::Tensor& x, const at::Tensor& incoming,
                                                    const BatchNormOfBatch& norm, bool of_input) {
  const ImageRows in(x);
  BatchNormGradients gradients;
  dispatch_format(x.scalar_type(), [&](auto format) {
    using Format = decltype(format);
    const auto* const from = static_cast<const kernels::Stored<Format>*>(x.const_data_ptr());
    const auto* const dy = static_cast<const kernels::Stored<Format>*>(incoming.const_data_ptr());
    const kernels::BatchNormChannels channels = norm.channels();
    const at::Tensor sums = sums_of_pieces(in, [&](std::int64_t begin, std::int64_t rows,
                                                   double* sum, double* products) {
      const std::int64_t at = begin * in.channels;
      kernels::batch_norm_gelu_gradient_sums<Format>(
          from + at, dy + at, rows, in.channels, channels, sum, products, kernels::active_isa());
    });
    gradients.bias = sums[0].to(at::kFloat);
    gradients.weight = (sums[1] * norm.inv_std).to(at::kFloat);
    if (!of_input) {
      return;
    }
    const at::Tensor by_row = norm.scale / static_cast<double>(in.rows);
    const at::Tensor offset = (sums[0] * -by_row).to(at::kFloat);
    const at::Tensor slope = (sums[1] * -by_row * norm.inv_std.square()).to(at::kFloat);
    gradients.input = at::empty_like(x);
    auto* const dx = static_cast<kernels::Stored<Format>*>(gradients.input.mutable_data_ptr());
    parallel_for(in.rows, kRowsInPiece, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t at = begin * in.channels;
      kernels::batch_norm_gelu_input_gradient<Format>(
          from + at, dy + at, dx + at, end - begin, in.channels, channels,
          slope.const_data_ptr<float>(), offset.const_data_ptr<float>(), kernels::active_isa());
    });
  });
  return gradients;
}

}  // namespace regtorch::detail
