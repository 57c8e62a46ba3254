#pragma once

#include <cstdint>
#include <utility>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"
#include "regtorch/kernels/philox.hpp"

namespace regtorch::data {

/// Puts int64 [N] `indices`, contiguous and on the CPU, into a uniformly random order, in place.
///
/// Fisher-Yates; position i's partner comes from block i of `stream`, and each partner's
/// probability is off by less than 2^-32. N must be below 2^32.
///
/// @throws c10::ValueError if the indices are anything else
inline void shuffle_(at::Tensor& indices, kernels::RandomStream stream) {
  check_indices("shuffle", indices);
  const std::int64_t size = indices.size(0);
  TORCH_CHECK_VALUE(size < (std::int64_t{1} << 32), "shuffle: wanted fewer than 2^32 indices, got ",
                    size);
  TORCH_CHECK_VALUE(indices.is_cpu() && indices.is_contiguous(),
                    "shuffle: wanted contiguous indices on the CPU, got ", describe(indices),
                    " with strides ", indices.strides());
  auto* index = indices.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = size - 1; i > 0; --i) {
    const std::uint32_t word = stream.block(static_cast<std::uint64_t>(i))[0];
    std::swap(index[i], index[kernels::bounded(word, static_cast<std::uint32_t>(i + 1))]);
  }
}

}  // namespace regtorch::data
