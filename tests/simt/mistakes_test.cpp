// Kernels that are wrong, and must not look right.

#include <array>
#include <string>
#include <vector>

#include "catch.hpp"

namespace {

using Catch::Matchers::Contains;
using regtorch::simt::correct_under_schedules;
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

__global__ void reverse(const int* from, int* to, bool barrier) {
  __shared__ int values[64];
  values[threadIdx.x] = from[threadIdx.x];
  if (barrier) __syncthreads();
  to[threadIdx.x] = values[63 - threadIdx.x];
}

TEST_CASE("a missing barrier before a read shows", "[simt]") {
  const auto correct = [](bool barrier) {
    std::vector<int> from(64);
    std::vector<int> to(64);
    for (std::size_t i = 0; i < 64; ++i) from[i] = static_cast<int>(i);
    launch_kernel(1, 64, reverse, from.data(), to.data(), barrier);
    return std::vector<int>(to.rbegin(), to.rend()) == from;
  };
  CHECK(correct_under_schedules([&] { return correct(true); }));
  for_each_schedule([&] { CHECK_FALSE(correct(false)); });
}

// Each warp writes its sum for all to read; the next round's writes must wait for the reads.
__global__ void rounds(int* sums, bool barrier) {
  __shared__ int parts[4];
  for (int round = 0; round < 4; ++round) {
    int sum = round;
    for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, d);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    atomicAdd(&sums[round], parts[0] + parts[1] + parts[2] + parts[3]);
    if (barrier) __syncthreads();
  }
}

TEST_CASE("a missing barrier after a read shows, though shuffles come between", "[simt]") {
  const auto correct = [](bool barrier) {
    std::array<int, 4> sums{};
    launch_kernel(1, 128, rounds, sums.data(), barrier);
    return sums == std::array{0, 16384, 32768, 49152};
  };
  CHECK(correct_under_schedules([&] { return correct(true); }, 100));
  for (std::uint64_t seed = 0; seed < 100; seed += 8) {
    INFO("seeds from " << seed);
    bool all = true;
    for (std::uint64_t s = seed; s < seed + 8; ++s) {
      const regtorch::simt::Schedule schedule(s);
      all = correct(false) && all;
    }
    CHECK_FALSE(all);
  }
}

__global__ void neighbours(int* values, bool barrier) {
  __shared__ int shared[32];
  const unsigned lane = threadIdx.x;
  shared[lane] = values[lane];
  __syncwarp();
  const int next = shared[(lane + 1) % 32];
  if (barrier) __syncwarp();
  shared[lane] = next + 100;
  __syncwarp();
  values[lane] = shared[lane ^ 1u];
}

TEST_CASE("a missing __syncwarp shows", "[simt]") {
  const auto correct = [](bool barrier) {
    std::array<int, 32> values{};
    for (int i = 0; i < 32; ++i) values[static_cast<std::size_t>(i)] = i;
    launch_kernel(1, 32, neighbours, values.data(), barrier);
    for (int i = 0; i < 32; ++i) {
      if (values[static_cast<std::size_t>(i)] != ((i ^ 1) + 1) % 32 + 100) return false;
    }
    return true;
  };
  CHECK(correct_under_schedules([&] { return correct(true); }));
  CHECK_FALSE(correct_under_schedules([&] { return correct(false); }));
}

template <class T, int kSize>
__global__ void read_uninitialised(T* result, T written) {
  __shared__ T values[kSize];
  if (threadIdx.x == 0) {
    *result = values[kSize - 1];
    values[kSize - 1] = written;  // which a later block must not see
  }
}

TEST_CASE("shared memory begins with neither zeros nor what the block before left", "[simt]") {
  for_each_schedule([] {
    int integer = 0;
    launch_kernel(5, 1, read_uninitialised<int, 3>, &integer, 7);
    CHECK((integer == -1 || integer == 0x7F7F7F7F));
    float real = 0.0f;
    launch_kernel(5, 1, read_uninitialised<float, 100>, &real, 7.0f);
    CHECK_FALSE(real < 1e30f);
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
    std::vector<int> from(64, 3);
    std::vector<int> to(64);
    launch_kernel(1, 64, reverse, from.data(), to.data(), true);
    CHECK(to == from);
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
