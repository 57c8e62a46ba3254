// Kernels whose threads read too early or what nobody wrote: wrong results, and never right ones
// under every schedule.

#include <array>
#include <vector>

#include "catch.hpp"

namespace {

using regtorch::simt::correct_under_schedules;
using regtorch::simt::for_each_schedule;
using regtorch::testing::launch_kernel;

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

}  // namespace
