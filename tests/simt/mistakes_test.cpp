// Kernels that do what CUDA leaves undefined: the launch ends with a message.

#include <string>
#include <vector>

#include "catch.hpp"

namespace {

using Catch::Matchers::Contains;
using regtorch::simt::for_each_schedule;
using regtorch::testing::launch_kernel;
using regtorch::testing::simt_error_of;

/// Checks that under every schedule the launch ends with a message that has both parts.
template <class... Parameters, class... Arguments>
void check_error(unsigned threads, const std::string& first, const std::string& second,
                 void (*kernel)(Parameters...), Arguments... arguments) {
  for_each_schedule([&] {
    const std::string error =
        simt_error_of([&] { launch_kernel(2, threads, kernel, arguments...); });
    CHECK_THAT(error, Contains("block (") && Contains("thread (") && Contains("mistakes_test.cpp"));
    CHECK_THAT(error, Contains(first) && Contains(second));
  });
}

__global__ void mask_lacks_caller(int* out) { out[0] = __shfl_sync(0x0000FFFFu, 1, 0); }

__global__ void mask_names_ended(int* out) {
  if (threadIdx.x % 32 == 7) return;
  out[0] = __any_sync(0xFFFFFFFFu, 1);
}

__global__ void reads_outside_mask(int* out) {
  if (threadIdx.x % 32 < 16) out[0] = __shfl_down_sync(0x0000FFFFu, 1, 3);
}

__global__ void two_masks(int* out) {
  out[0] = __shfl_sync(threadIdx.x % 2 == 0 ? 0xFFFFFFFFu : 0xFFFFFFFEu | 1u << threadIdx.x, 1, 1);
}

__global__ void two_functions(int* out) {
  if (threadIdx.x % 32 < 16) {
    __syncwarp();
  } else {
    out[0] = static_cast<int>(__ballot_sync(0xFFFFFFFFu, 1));
  }
}

__global__ void odd_width(int* out) { out[0] = __shfl_sync(0xFFFFFFFFu, 1, 1, 12); }

TEST_CASE("wrong calls of warp functions are named", "[simt]") {
  int out = 0;
  check_error(32, "__shfl_sync with mask 0x0000ffff", "which lacks its own lane", mask_lacks_caller,
              &out);
  check_error(64, "__any_sync with mask 0xffffffff", "which names lane 7, but thread (",
              mask_names_ended, &out);
  check_error(20, "__any_sync with mask 0xffffffff", "which names lane", mask_names_ended, &out);
  check_error(32, "in __shfl_down_sync with mask 0x0000ffff", "which does not name it",
              reads_outside_mask, &out);
  check_error(32, "__shfl_sync with mask 0xfffffffe", "__shfl_sync with mask 0xffffffff", two_masks,
              &out);
  check_error(32, "waits in __syncwarp", "waits in __ballot_sync", two_functions, &out);
  check_error(32, "__shfl_sync", "width 12, not a power of two", odd_width, &out);
}

__global__ void barrier_of_some(bool leave) {
  if (threadIdx.x >= 40 && leave) return;
  __syncthreads();
}

__global__ void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void barrier_against_warp(int* out) {
  if (threadIdx.x == 5) {
    __syncthreads();
  } else {
    *out = __shfl_sync(0xFFFFFFFFu, 1, 0);
    __syncthreads();
  }
}

TEST_CASE("divergent barriers and deadlocks are named", "[simt]") {
  int out = 0;
  CHECK(simt_error_of([] { launch_kernel(2, 64, barrier_of_some, false); }).empty());
  check_error(64, "divergent barrier: waits at __syncthreads", "has ended", barrier_of_some, true);
  check_error(64, "divergent barrier: waits at __syncthreads", "but thread (", two_barriers);
  check_error(32, "deadlock: waits in __shfl_sync", "thread (5, 0, 0) waits at __syncthreads",
              barrier_against_warp, &out);
}

__global__ void holds_memory() {
  const std::vector<int> memory(100, 1);  // no kernel of ours does; freed when a launch fails
  if (threadIdx.x == 31) __trap();
  __syncthreads();
}

TEST_CASE("a failed launch leaves nothing behind", "[simt]") {
  for_each_schedule([] {
    CHECK_THAT(simt_error_of([] { launch_kernel(1, 32, holds_memory); }), Contains("__trap"));
    CHECK(simt_error_of([] { launch_kernel(1, 64, barrier_of_some, false); }).empty());
  });
}

TEST_CASE("launches that a device refuses", "[simt]") {
  const auto launch = [](dim3 grid, dim3 block) {
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    return cudaLaunchKernelEx(&config, barrier_of_some, false);
  };
  CHECK(launch(1, 1024) == cudaSuccess);
  CHECK(launch(1, dim3(2, 8, 64)) == cudaSuccess);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(launch(1, 1025) == cudaErrorInvalidConfiguration);
  CHECK(launch(1, dim3(32, 33)) == cudaErrorInvalidConfiguration);
  CHECK(launch(1, dim3(1, 1, 65)) == cudaErrorInvalidConfiguration);
  CHECK(launch(1, 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(0, 32) == cudaErrorInvalidConfiguration);
  CHECK(launch(0x80000000u, 32) == cudaErrorInvalidConfiguration);
  CHECK(launch(dim3(1, 65536), 32) == cudaErrorInvalidConfiguration);
  CHECK(cudaPeekAtLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaSuccess);
}

}  // namespace
