#pragma once

#include <cstdint>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/kernels/batch_norm.hpp"
#include "regtorch/layers/batch_norm_cpu.hpp"

/// The passes backward of kernels/batch_norm.hpp on images that are channels_last.
namespace regtorch::detail {

/// The gradients of what went in.
struct BatchNormGradients {
  at::Tensor input;  ///< undefined if it is not wanted
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor shortcut;  ///< undefined if there was none
};

/// dz * scale + (x - mean) * slope + offset, dz being the gradient before the activation.
template <class Format, class Activation>
at::Tensor input_gradient(const at::Tensor& x, const at::Tensor& incoming, const NormOfRow& norm,
                          const at::Tensor& slope, const at::Tensor& offset) {
  const ImageRows in(x);
  at::Tensor gradient = at::empty_like(x);
  const auto* const numbers = numbers_of<Format>(x);
  const auto* const dy = numbers_of<Format>(incoming);
  auto* const dx = mutable_numbers_of<Format>(gradient);
  const at::Tensor slopes = in.of_row(slope);
  const at::Tensor offsets = in.of_row(offset);
  in.for_pieces([&](std::int64_t, std::int64_t at, std::int64_t rows, std::int64_t width) {
    kernels::batch_norm_input_gradient<Format, Activation>(
        numbers + at, dy + at, dx + at, rows, width, norm.channels(),
        slopes.const_data_ptr<float>(), offsets.const_data_ptr<float>(), kernels::active_isa());
  });
  return gradient;
}

/// @param y         the output if there was a shortcut, or else undefined
/// @param incoming  the output's gradient, as x lies in memory
template <class Activation>
BatchNormGradients batch_norm_gradients(const at::Tensor& x, const at::Tensor& y,
                                        const at::Tensor& incoming, const BatchNormOfBatch& batch,
                                        bool of_input) {
  const ImageRows in(x);
  const NormOfRow norm(in, batch.mean, batch.scale, batch.shift);
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
    const at::Tensor sums = sums_of_pieces(
        in,
        [&](std::int64_t at, std::int64_t rows, std::int64_t width, double* sum, double* products) {
          kernels::batch_norm_gradient_sums<Format, Activation>(
              numbers + at, from(outputs, at), dy + at, from(dz, at), rows, width, norm.channels(),
              sum, products, kernels::active_isa());
        });
    gradients.bias = sums[0].to(at::kFloat);
    gradients.weight = (sums[1] * batch.inv_std).to(at::kFloat);
    if (!of_input) {
      return;
    }
    const at::Tensor by_pixel = batch.scale / static_cast<double>(in.pixels);
    const at::Tensor offset = (sums[0] * -by_pixel).to(at::kFloat);
    const at::Tensor slope = (sums[1] * -by_pixel * batch.inv_std.square()).to(at::kFloat);
    gradients.input =
        y.defined()
            ? input_gradient<Format, kernels::Identity>(x, gradients.shortcut, norm, slope, offset)
            : input_gradient<Format, Activation>(x, incoming, norm, slope, offset);
  });
  return gradients;
}

}  // namespace regtorch::detail
