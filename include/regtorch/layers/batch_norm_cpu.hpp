#pragma once

#include <cstdint>
#include <numeric>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/batch_norm.hpp"
#include "regtorch/kernels/lanes.hpp"

/// The passes of kernels/batch_norm.hpp on images that are channels_last.
namespace regtorch::detail {

/// Channels-last images as the kernels see them. As many pixels make a row that its numbers fill
/// whole lanes: those left over would go through the kernels one by one.
struct ImageRows {
  explicit ImageRows(const at::Tensor& images)
      : channels(images.size(1)),
        pixels_in_row(kernels::kLanes / std::gcd<std::int64_t>(kernels::kLanes, channels)),
        pixels(images.numel() / channels),
        rows(pixels / pixels_in_row) {}

  /// Calls body(piece, first number, rows, numbers in a row) for pieces of the images, the same for
  /// any number of threads. The pixels of no whole row are one shorter row.
  template <class Body>
  void for_pieces(const Body& body) const {
    const std::int64_t width = pixels_in_row * channels;
    parallel_for(rows, rows_in_piece(), [&](std::int64_t begin, std::int64_t end) {
      body(begin / rows_in_piece(), begin * width, end - begin, width);
    });
    if (const std::int64_t left = pixels % pixels_in_row; left > 0) {
      body(pieces() - 1, rows * width, std::int64_t{1}, left * channels);
    }
  }
  std::int64_t pieces() const {
    return (rows + rows_in_piece() - 1) / rows_in_piece() + (pixels % pixels_in_row > 0 ? 1 : 0);
  }

  /// What is given for each channel, for each number of a row.
  at::Tensor of_row(const at::Tensor& of_channels) const {
    return pixels_in_row == 1 ? of_channels : of_channels.repeat({pixels_in_row});
  }

  std::int64_t channels;
  std::int64_t pixels_in_row;
  std::int64_t pixels;
  std::int64_t rows;

 private:
  std::int64_t rows_in_piece() const { return 512 / pixels_in_row; }
};

/// What a batch normalization does to each number of a row.
class NormOfRow {
 public:
  /// mean, scale and shift are float32 [C].
  NormOfRow(const ImageRows& in, const at::Tensor& mean, const at::Tensor& scale,
            const at::Tensor& shift)
      : mean_(in.of_row(mean)), scale_(in.of_row(scale)), shift_(in.of_row(shift)) {}

  kernels::BatchNormChannels channels() const {
    return {mean_.const_data_ptr<float>(), scale_.const_data_ptr<float>(),
            shift_.const_data_ptr<float>()};
  }

 private:
  at::Tensor mean_, scale_, shift_;
};

/// What a batch normalization did to a batch: float32 [C] each.
struct BatchNormOfBatch {
  at::Tensor mean;
  at::Tensor variance;  ///< biased
  at::Tensor inv_std;   ///< 1 / sqrt(variance + eps)
  at::Tensor scale;     ///< weight * inv_std
  at::Tensor shift;     ///< the bias
};

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

/// Two sums a channel, float64 [2,C], of what `pass` sums up in each piece.
///
/// @param pass  callable (first number, rows, numbers in a row, sums, other sums), a number each
template <class Pass>
at::Tensor sums_of_pieces(const ImageRows& in, const Pass& pass) {
  const at::Tensor sums = at::zeros({in.pieces(), 2, in.pixels_in_row, in.channels}, at::kDouble);
  auto* const all = sums.mutable_data_ptr<double>();
  in.for_pieces([&](std::int64_t piece, std::int64_t at, std::int64_t rows, std::int64_t width) {
    double* const mine = all + piece * sums.stride(0);
    pass(at, rows, width, mine, mine + sums.stride(1));
  });
  return sums.sum({0, 2});
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
    for (std::int64_t c = 0; c < in.channels; ++c) {
      pivots.mutable_data_ptr<float>()[c] = Format::read(numbers[c]);
    }
    const at::Tensor of_row = in.of_row(pivots);
    sums = sums_of_pieces(in, [&](std::int64_t at, std::int64_t rows, std::int64_t width,
                                  double* sum, double* squares) {
      kernels::batch_norm_moments<Format>(numbers + at, rows, width, of_row.const_data_ptr<float>(),
                                          sum, squares, kernels::active_isa());
    });
  });
  const auto count = static_cast<double>(in.pixels);
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
at::Tensor normalized(const at::Tensor& x, const at::Tensor& shortcut, const at::Tensor& mean,
                      const at::Tensor& scale, const at::Tensor& shift) {
  const ImageRows in(x);
  const NormOfRow norm(in, mean, scale, shift);
  at::Tensor y = at::empty_like(x);
  dispatch_format(x.scalar_type(), [&](auto format) {
    using Format = decltype(format);
    const auto* const numbers = numbers_of<Format>(x);
    const auto* const added = numbers_of<Format>(shortcut);
    auto* const made = mutable_numbers_of<Format>(y);
    in.for_pieces([&](std::int64_t, std::int64_t at, std::int64_t rows, std::int64_t width) {
      kernels::batch_norm<Format, Activation>(numbers + at, from(added, at), made + at, rows, width,
                                              norm.channels(), kernels::active_isa());
    });
  });
  return y;
}

}  // namespace regtorch::detail
