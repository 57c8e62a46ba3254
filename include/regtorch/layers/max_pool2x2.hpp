#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include "regtorch/core/kernel_tensor.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/max_pool.hpp"

namespace regtorch {

namespace detail {

/// Keeps a byte for each output, and nothing of the input.
class MaxPool2x2Function : public torch::autograd::Function<MaxPool2x2Function> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x) {
    const std::vector<std::int64_t> sizes{x.size(0), x.size(1), x.size(2) / 2, x.size(3) / 2};
    at::Tensor y = at::empty(sizes, x.options(), at::MemoryFormat::ChannelsLast);
    const at::Tensor which =
        at::empty(sizes, x.options().dtype(at::kByte), at::MemoryFormat::ChannelsLast);
    const kernels::PoolSize in{x.size(2), x.size(3), x.size(1)};
    dispatch_format(x.scalar_type(), [&](auto format) {
      using Format = decltype(format);
      const auto* const from = static_cast<const typename Format::Stored*>(x.const_data_ptr());
      auto* const to = static_cast<typename Format::Stored*>(y.mutable_data_ptr());
      auto* const places = which.mutable_data_ptr<std::uint8_t>();
      for_rows(y, in, [&](std::int64_t image, std::int64_t row, std::int64_t at) {
        kernels::max_pool_row<Format>(from + image, in, row, to + at, places + at,
                                      kernels::active_isa());
      });
    });
    ctx->save_for_backward({which});
    ctx->saved_data["rows"] = x.size(2);
    ctx->saved_data["columns"] = x.size(3);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& incoming) {
    const at::Tensor which = ctx->get_saved_variables()[0];
    const std::int64_t rows = ctx->saved_data["rows"].toInt();
    const std::int64_t columns = ctx->saved_data["columns"].toInt();
    if (at::GradMode::is_enabled()) {  // to be differentiated again
      return {composed(incoming[0], which, rows, columns)};
    }
    const at::Tensor dy = incoming[0].contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor dx = at::empty({dy.size(0), dy.size(1), rows, columns}, dy.options(),
                              at::MemoryFormat::ChannelsLast);
    const kernels::PoolSize in{rows, columns, dy.size(1)};
    dispatch_format(dy.scalar_type(), [&](auto format) {
      using T = typename decltype(format)::Stored;
      const auto* const from = static_cast<const T*>(dy.const_data_ptr());
      const auto* const places = which.const_data_ptr<std::uint8_t>();
      auto* const to = static_cast<T*>(dx.mutable_data_ptr());
      for_rows(dy, in, [&](std::int64_t image, std::int64_t row, std::int64_t at) {
        kernels::max_pool_row_gradient(from + at, places + at, in, row, to + image,
                                       kernels::active_isa());
      });
    });
    return {std::move(dx)};
  }

 private:
  /// Calls body(where the image begins in the input, the output's row, where that begins), for all
  /// rows of all images.
  template <class Body>
  static void for_rows(const at::Tensor& pooled, const kernels::PoolSize& in, const Body& body) {
    const std::int64_t rows = pooled.size(2);
    parallel_for(pooled.size(0) * rows, rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        body(i / rows * in.rows * in.columns * in.channels, i % rows,
             i * pooled.size(3) * in.channels);
      }
    });
  }

  static at::Tensor composed(const at::Tensor& dy, const at::Tensor& which, std::int64_t rows,
                             std::int64_t columns) {
    std::vector<at::Tensor> corners;
    for (std::int64_t k = 0; k < 4; ++k) {
      corners.push_back(at::where(which.eq(k), dy, 0));
    }
    // [N,C,H,W,2,2] to [N,C,2H,2W], and a last odd row and column of zeros.
    const at::Tensor squares = at::stack(corners, 4).unflatten(4, {2, 2});
    const at::Tensor whole = squares.permute({0, 1, 2, 4, 3, 5}).flatten(4, 5).flatten(2, 3);
    return at::constant_pad_nd(whole, {0, columns % 2, 0, rows % 2});
  }
};

}  // namespace detail

/// The largest of each square of 2x2 pixels; a last odd row or column is left out:
///
///     y[n,c,i,j] = max of x[n,c,2i..2i+1,2j..2j+1]
///
/// It stands where torch::nn::MaxPool2d(2) does, and gives the same bits, output and gradient: of
/// equal pixels the first, row by row, gets it. On the CPU, images that are channels_last, float32,
/// bfloat16 or float16, take a pass that keeps a byte an output for the gradient, where LibTorch
/// keeps eight. What else comes takes LibTorch's operator.
///
///     rt::MaxPool2x2 pool;
///     torch::Tensor y = pool(x);
///
/// forward(x): x is [N,C,H,W]; the result is [N,C,H/2,W/2] of its type.
/// @throws c10::Error, from LibTorch, as torch::nn::MaxPool2d
class MaxPool2x2Impl : public torch::nn::Cloneable<MaxPool2x2Impl> {
 public:
  /// For torch::nn::Cloneable: there are no weights.
  void reset() override {}

  /// @param x  [N,C,H,W]
  /// @return [N,C,H/2,W/2]
  torch::Tensor forward(const torch::Tensor& x) {
    const bool fused = x.defined() && x.dim() == 4 && x.is_cpu() && x.numel() > 0 &&
                       x.size(2) >= 2 && x.size(3) >= 2 && detail::has_format(x.scalar_type()) &&
                       detail::is_plain_memory(x) &&
                       x.is_contiguous(at::MemoryFormat::ChannelsLast);
    return fused ? detail::MaxPool2x2Function::apply(x) : at::max_pool2d(x, 2, 2);
  }
};

TORCH_MODULE(MaxPool2x2);

}  // namespace regtorch
