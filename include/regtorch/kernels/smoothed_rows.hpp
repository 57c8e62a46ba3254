#pragma once

#include <cstdint>

#include "regtorch/kernels/element_type.hpp"

namespace regtorch::kernels {

/// Rows of logits on a device, one after the other, and their labels, each in [0, classes) or
/// ignore_index; what scale and floor mean says SmoothedTargets.
struct SmoothedRows {
  const void* logits = nullptr;
  ElementType type = ElementType::kFloat32;  ///< of the logits; not kFloat64
  const std::int64_t* targets = nullptr;
  std::int64_t rows = 0;
  std::int64_t classes = 0;
  const float* weight = nullptr;      ///< [classes], or nullptr: each is 1
  const float* weight_sum = nullptr;  ///< their sum, on the device too; not read without weights
  float scale = 1;
  float floor = 0;
  std::int64_t ignore_index = 0;
};

}  // namespace regtorch::kernels
