#pragma once

// at::parallel_for with std::thread in place of OpenMP, included before everything else in the
// tests for ThreadSanitizer. libgomp is not instrumented, so ThreadSanitizer knows nothing of the
// order that its team of threads keeps, and calls everything in a parallel region a race.
// LibTorch's own header leaves a gap for just this: without -fopenmp it has no
// internal::invoke_parallel, which at::parallel_for calls with the same arguments where
// INTRA_OP_PARALLEL is defined.

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(_OPENMP)
#error "tests/sanitize: wanted no -fopenmp"
#endif
#define INTRA_OP_PARALLEL

namespace at {
int get_num_threads();

namespace internal {

/// Splits the range over threads as LibTorch does; an exception reaches the caller.
template <class F>
void invoke_parallel(std::int64_t begin, std::int64_t end, std::int64_t grain_size, const F& f) {
  const std::int64_t grains = (end - begin + grain_size - 1) / grain_size;  // which is at least 1
  const std::int64_t count = std::min<std::int64_t>(get_num_threads(), grains);
  const std::int64_t chunk = (end - begin + count - 1) / count;
  std::mutex mutex;
  std::exception_ptr error;
  const auto run = [&](std::int64_t first) {
    try {
      f(first, std::min(end, first + chunk));
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      error = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (std::int64_t first = begin + chunk; first < end; first += chunk) {
    threads.emplace_back(run, first);
  }
  run(begin);  // the first part on the calling thread, as with OpenMP
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (error) {
    std::rethrow_exception(error);
  }
}

}  // namespace internal
}  // namespace at
