#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "regtorch/core/dense_arrays.hpp"
#include "regtorch/core/device_memory.hpp"
#include "regtorch/kernels/device_arrays.hpp"
#include "regtorch/kernels/sums.hpp"

/// Lists of tensors as kernels::DeviceKernels takes them.
namespace regtorch::detail {

/// Whether a device's kernel can run through the memory of `x`: float32 on CUDA, without gaps.
inline bool is_dense_on_device(const at::Tensor& x) {
  return x.is_cuda() && x.scalar_type() == at::kFloat && has_no_gaps(x);
}

/// Whether one call can run through all of these; there must be one.
inline bool are_dense_on_device_and_apart(const std::vector<at::Tensor>& tensors) {
  return all_fit_and_apart(tensors, is_dense_on_device);
}

/// What reads all of these.
inline std::vector<kernels::WeightArrays> arrays_of(at::TensorList tensors) {
  std::vector<kernels::WeightArrays> arrays;
  for (const auto& tensor : tensors) {
    arrays.push_back({tensor.const_data_ptr<float>(), nullptr, tensor.numel()});
  }
  return arrays;
}

/// Adds that `to`, as long and laid out like what is read, is written.
inline void write_to(std::vector<kernels::WeightArrays>& arrays, at::TensorList to) {
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    arrays[i].out = to[i].mutable_data_ptr<float>();
  }
}

/// Scratch memory for the sums of chunks.
class ChunkSums {
 public:
  /// @param where  any tensor on the device
  ChunkSums(const std::vector<kernels::WeightArrays>& arrays, const at::Tensor& where) {
    std::int64_t chunks = 0;
    for (const auto& array : arrays) {
      chunks += array.chunks();
    }
    memory_ = at::empty({chunks, 2}, where.options().dtype(at::kDouble));
  }
  kernels::Sums* data() const {
    static_assert(sizeof(kernels::Sums) == 2 * sizeof(double));
    return reinterpret_cast<kernels::Sums*>(memory_.mutable_data_ptr<double>());
  }

 private:
  at::Tensor memory_;
};

}  // namespace regtorch::detail
