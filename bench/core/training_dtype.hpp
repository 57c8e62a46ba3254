#pragma once

#include <optional>

#include <torch/types.h>

namespace regtorch::bench {

/// What training is measured in, as autocast takes it: bfloat16 where the CPU computes in it.
/// Without these instructions LibTorch does so in software, for minutes a step: then float32.
inline std::optional<torch::ScalarType> training_dtype() {
#if defined(__x86_64__)
  // Which all with AMX have too.
  return __builtin_cpu_supports("avx512bf16") ? std::make_optional(torch::kBFloat16) : std::nullopt;
#else
  return std::nullopt;
#endif
}

/// Its name in that of a benchmark.
inline const char* training_dtype_name() {
  return training_dtype().has_value() ? "bfloat16" : "float32";
}

}  // namespace regtorch::bench
