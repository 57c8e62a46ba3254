#pragma once

#include <cstddef>
#include <cstdint>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <pthread.h>
#include <torch/arg.h>

#include "regtorch/kernels/memory_cache.hpp"

namespace regtorch {

/// How much memory the cache keeps.
struct CpuMemoryCacheOptions {
  /// Bytes in use and kept together beyond which nothing more is kept, at least 0; default: half of
  /// the memory of the machine, or of its container. Tensors may always use more.
  TORCH_ARG(std::int64_t, max_bytes) = static_cast<std::int64_t>(kernels::memory_size() / 2);
};

/// What kernels::MemoryCache counts; tensors below 32 KiB are not in it.
using CpuMemoryCacheStatistics = kernels::MemoryCacheStatistics;

namespace detail {

/// LibTorch's CPU allocator with a cache for all but small sizes, which malloc keeps itself.
class CpuMemoryCacheAllocator final : public c10::Allocator {
 public:
  /// The program's. Never destroyed, since tensors may be freed after everything else.
  static CpuMemoryCacheAllocator& instance() {
    static auto* const allocator = new CpuMemoryCacheAllocator;
    return *allocator;
  }

  c10::DataPtr allocate(std::size_t bytes) override {
    void* data = bytes >= kernels::kLeastBlock ? cache_.allocate(bytes) : c10::alloc_cpu(bytes);
    if (data == nullptr && bytes > 0) {
      c10::profiledCPUMemoryReporter().OutOfMemory(bytes);
      TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ",
                  bytes, " bytes. Error code 12 (Cannot allocate memory)");
    }
    c10::profiledCPUMemoryReporter().New(data, bytes);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  kernels::MemoryCache& cache() { return cache_; }

 private:
  CpuMemoryCacheAllocator() : cache_(0) {
    // A child process gets a copy of the cache, also if another thread was using it at the time.
    ::pthread_atfork([] { instance().cache_.mutex().lock(); },
                     [] { instance().cache_.mutex().unlock(); },
                     [] { instance().cache_.mutex().unlock(); });
  }

  static void release(void* data) {
    c10::profiledCPUMemoryReporter().Delete(data);
    // Also memory from before the cache gets here: oneDNN's, which has no deleter with it.
    if (!instance().cache_.release(data)) {
      c10::free_cpu(data);
    }
  }

  kernels::MemoryCache cache_;
};

}  // namespace detail

/// Makes all CPU tensors of the process from now on keep their memory for the next ones: one line
/// in main(), before threads are started.
///
/// LibTorch's own allocator gets the memory of each larger tensor from the operating system and
/// gives it back, and the first access to each page then costs a page fault: up to a third of a
/// training step. Here memory is kept (see kernels::MemoryCache: sizes rounded up by less than an
/// eighth, larger blocks lent to smaller tensors, huge pages) up to a bound. What a new tensor has
/// in it is undefined, as ever. Tensors from before stay as they are.
///
///     rt::use_cpu_memory_cache();
///
/// LibTorch's memory profiler works as before. A second call sets the options anew. Where memory
/// runs out, everything kept is given back before that becomes LibTorch's error. After fork() both
/// processes go on with a copy of the cache.
///
/// @param options  see CpuMemoryCacheOptions
/// @throws c10::ValueError if max_bytes is negative
/// @throws c10::Error if the CPU allocator is neither LibTorch's own nor this one
inline void use_cpu_memory_cache(const CpuMemoryCacheOptions& options = {}) {
  TORCH_CHECK_VALUE(options.max_bytes() >= 0,
                    "use_cpu_memory_cache: wanted max_bytes of at least 0, got ",
                    options.max_bytes());
  auto& allocator = detail::CpuMemoryCacheAllocator::instance();
  if (c10::GetCPUAllocator() != &allocator) {
    TORCH_CHECK(c10::GetCPUAllocator() == c10::GetDefaultCPUAllocator(),
                "use_cpu_memory_cache: wanted LibTorch's own CPU allocator to replace, got another "
                "one that somebody has set");
    c10::SetCPUAllocator(&allocator);
  }
  allocator.cache().set_max_bytes(static_cast<std::size_t>(options.max_bytes()));
}

/// What the cache has and did so far; all zero without one.
inline CpuMemoryCacheStatistics cpu_memory_cache_statistics() {
  return detail::CpuMemoryCacheAllocator::instance().cache().statistics();
}

/// Gives back to the system all memory that is kept, but for blocks below 4 MiB that lie beside
/// ones in use.
inline void empty_cpu_memory_cache() {
  detail::CpuMemoryCacheAllocator::instance().cache().empty();
}

}  // namespace regtorch
