#pragma once

#include <c10/core/CPUAllocator.h>

#include "regtorch/core/cpu_memory_cache.hpp"

namespace regtorch::bench {

/// The CPU memory cache for the variants that are measured with it; the next one has LibTorch's own
/// allocator again. Tensors go back to the allocator that they came from.
class ScopedMemoryCache {
 public:
  ScopedMemoryCache() { use_cpu_memory_cache(); }
  ~ScopedMemoryCache() {
    empty_cpu_memory_cache();
    c10::SetCPUAllocator(c10::GetDefaultCPUAllocator());
  }
  ScopedMemoryCache(const ScopedMemoryCache&) = delete;
  ScopedMemoryCache& operator=(const ScopedMemoryCache&) = delete;
};

}  // namespace regtorch::bench
