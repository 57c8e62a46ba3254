// Kernels that are right, under several schedules: what CUDA promises is there.

#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include "catch.hpp"

namespace {

using regtorch::simt::for_each_schedule;
using regtorch::testing::launch_kernel;

__global__ void sum_of_warps(const int* values, int* sums) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  int sum = values[i];
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, distance);
  }
  if (threadIdx.x % 32 == 0) sums[i / 32] = sum;
}

TEST_CASE("a warp adds up by shuffles", "[simt]") {
  std::vector<int> values(3 * 64);
  std::iota(values.begin(), values.end(), 0);
  for_each_schedule([&] {
    std::array<int, 6> sums{};
    launch_kernel(3, 64, sum_of_warps, values.data(), sums.data());
    for (int w = 0; w < 6; ++w) CHECK(sums[static_cast<std::size_t>(w)] == 32 * 32 * w + 496);
  });
}

template <int kWarps>
__device__ float sum_of_block(float value) {
  __shared__ float parts[kWarps];
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_down_sync(0xFFFFFFFFu, value, static_cast<unsigned>(distance));
  }
  const int warp = static_cast<int>(threadIdx.x) / 32;
  __syncthreads();  // the parts of a call before have been read
  if (threadIdx.x % 32 == 0) parts[warp] = value;
  __syncthreads();
  value = 0.0f;
  for (const float part : parts) value += part;
  return value;
}

template <int kWarps>
__global__ void sum_twice(const float* values, float* sums) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const float once = sum_of_block<kWarps>(values[i]);
  sums[i] = sum_of_block<kWarps>(once);
}

TEST_CASE("a block adds up through shared memory, in a template, twice", "[simt]") {
  for_each_schedule([] {
    const std::vector<float> values(5 * 256, 0.5f);
    std::vector<float> sums(values.size());
    launch_kernel(5, 256, sum_twice<8>, values.data(), sums.data());
    CHECK(sums == std::vector<float>(values.size(), 128.0f * 256.0f));
    launch_kernel(20, 64, sum_twice<2>, values.data(), sums.data());
    CHECK(sums == std::vector<float>(values.size(), 32.0f * 64.0f));
  });
}

__global__ void vote(unsigned* ballots, int* any, int* all) {
  const unsigned lane = threadIdx.x % 32;
  const unsigned half = lane < 16 ? 0x0000FFFFu : 0xFFFF0000u;
  ballots[threadIdx.x] = __ballot_sync(half, lane % 3 == 0);
  any[threadIdx.x] = __any_sync(half, lane == 3);
  all[threadIdx.x] = __all_sync(half, lane >= 16);
}

TEST_CASE("halves of a warp vote", "[simt]") {
  for_each_schedule([] {
    std::array<unsigned, 64> ballots{};
    std::array<int, 64> any{};
    std::array<int, 64> all{};
    launch_kernel(1, 64, vote, ballots.data(), any.data(), all.data());
    for (std::size_t i = 0; i < 64; ++i) {
      const bool low = i % 32 < 16;
      CHECK(ballots[i] == (0x49249249u & (low ? 0x0000FFFFu : 0xFFFF0000u)));
      CHECK(any[i] == (low ? 1 : 0));
      CHECK(all[i] == (low ? 0 : 1));
    }
  });
}

__global__ void add_one(int* values, std::int64_t count) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    ++values[i];
  }
}

TEST_CASE("a bounded grid goes over a long row", "[simt]") {
  std::vector<int> values(50257);
  launch_kernel(7, 96, add_one, values.data(), std::int64_t{50257});
  CHECK(values == std::vector<int>(50257, 1));
}

__global__ void name_threads(unsigned* names) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  names[block * 24 + thread] = block * 24 + thread;
  // Warps are consecutive threads, x fastest.
  if (thread != __shfl_sync(0x00FFFFFFu, thread, static_cast<int>(thread))) __trap();
}

TEST_CASE("grids and blocks of three dimensions", "[simt]") {
  std::vector<unsigned> names(5 * 3 * 2 * 24);
  launch_kernel(dim3(5, 3, 2), dim3(3, 4, 2), name_threads, names.data());
  std::vector<unsigned> expected(names.size());
  std::iota(expected.begin(), expected.end(), 0u);
  CHECK(names == expected);
}

__global__ void count_blocks(unsigned* arrived, int* last, double* sum) {
  __shared__ unsigned before;
  atomicAdd(sum, 0.25);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) before = atomicAdd(arrived, 1u);
  const int is_last = __syncthreads_or(threadIdx.x == 0 && before + 1 == gridDim.x);
  const int odd = __syncthreads_count(threadIdx.x % 2);
  const int all = __syncthreads_and(threadIdx.x < blockDim.x);
  if (threadIdx.x == 64 && is_last != 0 && all != 0) atomicAdd(last, odd);
}

TEST_CASE("atomics, and barriers that count", "[simt]") {
  for_each_schedule([] {
    unsigned arrived = 0;
    int last = 0;
    double sum = 0.0;
    launch_kernel(13, 65, count_blocks, &arrived, &last, &sum);
    CHECK(arrived == 13);
    CHECK(last == 32);
    CHECK(sum == 13 * 65 * 0.25);
  });
}

__global__ void shuffles(int* results) {
  const int lane = static_cast<int>(threadIdx.x);
  results[lane] = __shfl_sync(0xFFFFFFFFu, lane, lane + 9, 8);
  results[32 + lane] = __shfl_up_sync(0xFFFFFFFFu, lane, 3, 16);
  results[64 + lane] = __shfl_down_sync(0xFFFFFFFFu, lane, 3, 16);
  results[96 + lane] = __shfl_xor_sync(0xFFFFFFFFu, lane, 12, 8);
}

TEST_CASE("shuffles within parts of a warp", "[simt]") {
  std::array<int, 128> results{};
  launch_kernel(1, 32, shuffles, results.data());
  for (int lane = 0; lane < 32; ++lane) {
    const auto i = static_cast<std::size_t>(lane);
    CHECK(results[i] == lane / 8 * 8 + (lane + 1) % 8);
    CHECK(results[32 + i] == (lane % 16 < 3 ? lane : lane - 3));
    CHECK(results[64 + i] == (lane % 16 > 12 ? lane : lane + 3));
    // A later group is out of reach; an earlier one is not.
    CHECK(results[96 + i] == ((lane & 8) != 0 ? lane ^ 12 : lane));
  }
}

}  // namespace
