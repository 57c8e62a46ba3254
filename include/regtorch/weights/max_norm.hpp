#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/dense_arrays.hpp"
#include "regtorch/core/device_arrays.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/norms.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/weights/device_norms.hpp"
#include "regtorch/weights/parameters.hpp"

namespace regtorch {

namespace detail {

/// max_norm_ of weights that are dense and apart, each filter in one piece of memory: one read of
/// each element, and a second with a write, from the cache, for filters above the limit.
inline void dense_max_norm(const std::vector<at::Tensor>& weights, double max_norm) {
  ArrayBlocks blocks;
  std::vector<void*> arrays;
  for (const auto& weight : weights) {
    blocks.add(weight.numel());
    arrays.push_back(weight.mutable_data_ptr());
  }
  const kernels::Isa isa = kernels::active_isa();
  AT_DISPATCH_FLOATING_TYPES(weights.front().scalar_type(), "max_norm_", [&] {
    blocks.for_each([&](std::int64_t, std::size_t array, std::int64_t begin, std::int64_t end) {
      // A block has the filters that begin in it.
      auto* w = static_cast<scalar_t*>(arrays[array]);
      const std::int64_t size = weights[array].numel() / weights[array].size(0);
      for (std::int64_t k = (begin + size - 1) / size * size; k < end; k += size) {
        const auto norm = static_cast<scalar_t>(
            std::sqrt(kernels::sums<false, true>(w, k, k + size, isa).squares));
        if (norm > max_norm) {
          kernels::scale(w, k, k + size, max_norm / (norm + 1e-7), isa);
        }
      }
    });
  });
  for (const auto& weight : weights) {
    weight.unsafeGetTensorImpl()->bump_version();
  }
}

/// Whether each slice of `weight` along its first dimension, which is dense, is one piece of
/// memory.
inline bool has_whole_filters(const at::Tensor& weight) {
  return weight.size(0) <= 1 || weight.stride(0) * weight.size(0) == weight.numel();
}

}  // namespace detail

/// Scales each filter down to an L2 norm of at most `max_norm`, in place; to be called after each
/// step of the optimizer:
///
///     w_k <- w_k * max_norm / (||w_k|| + 1e-7)  where  ||w_k|| > max_norm
///
/// w_k is slice k of a weight along its first dimension: what enters output k of a linear or
/// convolutional layer, row k of an embedding. (The first dimension of a transposed convolution is
/// its input.) A filter within the limit keeps its bits. Norms are computed in float32 or, of a
/// float64 weight, in that. It is torch.renorm(w, 2, 0, max_norm).
///
/// @param parameters  see parameters.hpp; of two or more dimensions, floating-point
/// @param max_norm    above 0; 3 and 4 are common
/// @throws c10::ValueError for another max_norm or a parameter of fewer dimensions, and where
///         Parameters does; all weights as they were
///
/// Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to
/// prevent neural networks from overfitting", JMLR 2014, section 5.1.
inline void max_norm_(const Parameters& parameters, double max_norm) {
  TORCH_CHECK_VALUE(max_norm > 0, "max_norm_: wanted a max_norm above 0, got ", max_norm);
  for (const auto& parameter : parameters.tensors()) {
    TORCH_CHECK_VALUE(parameter.dim() >= 2,
                      "max_norm_: wanted parameters of two or more dimensions, got ",
                      describe(parameter));
  }
  const at::NoGradGuard no_grad;
  const auto& weights = parameters.tensors();
  const bool on_cpu = detail::are_dense_and_apart(weights);
  if ((on_cpu || (kernels::device_kernels().max_norm != nullptr &&
                  detail::are_dense_on_device_and_apart(weights))) &&
      std::all_of(weights.begin(), weights.end(), detail::has_whole_filters)) {
    return on_cpu ? detail::dense_max_norm(weights, max_norm)
                  : detail::max_norm_on_device(weights, max_norm);
  }
  for (const auto& parameter : parameters.tensors()) {
    parameter.renorm_(2, 0, max_norm);
  }
}

}  // namespace regtorch
