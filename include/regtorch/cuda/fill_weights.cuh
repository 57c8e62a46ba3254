#pragma once

#include <cstdint>

#include "regtorch/cuda/adam_step.cuh"
#include "regtorch/cuda/max_norm.cuh"
#include "regtorch/cuda/norms.cuh"
#include "regtorch/cuda/penalties.cuh"
#include "regtorch/cuda/sgd_step.cuh"
#include "regtorch/kernels/device_kernels.hpp"

namespace regtorch::cuda {

/// Fills the table with the kernels of the pieces in weights/; see fill_device_kernels.
template <class Queue>
void fill_weight_kernels(kernels::DeviceKernels& table) {
  table.adam_step = [](int device, const kernels::StepArrays* arrays, std::int64_t count,
                       const kernels::AdamRule& rule) {
    adam_step(arrays, count, rule, Queue(device));
  };
  table.sgd_step = [](int device, const kernels::StepArrays* arrays, std::int64_t count,
                      const kernels::SgdRule& rule) {
    sgd_step(arrays, count, rule, Queue(device));
  };
  table.penalty = [](int device, const kernels::WeightArrays* arrays, std::int64_t count,
                     const kernels::PenaltyRule& rule, kernels::Sums* of_chunks, float* value) {
    penalty(arrays, count, rule, of_chunks, value, Queue(device));
  };
  table.penalty_gradient = [](int device, const kernels::WeightArrays* arrays, std::int64_t count,
                              const kernels::PenaltyRule& rule, const float* incoming) {
    penalty_gradient(arrays, count, rule, incoming, Queue(device));
  };
  table.clip_norm = [](int device, const kernels::WeightArrays* arrays, std::int64_t count,
                       double max_norm, kernels::Sums* of_chunks, float* norm, float* factor) {
    clip_norm(arrays, count, max_norm, of_chunks, norm, factor, Queue(device));
  };
  table.max_norm = [](int device, const kernels::FilterArrays* arrays, std::int64_t count,
                      double most) { max_norm(arrays, count, most, Queue(device)); };
}

}  // namespace regtorch::cuda
