// The order of blocks and threads: another for each seed and launch, the same for the same.

#include <algorithm>
#include <set>
#include <vector>

#include "catch.hpp"

namespace {

using regtorch::simt::Schedule;
using regtorch::testing::launch_kernel;

__global__ void line_up(unsigned* line, unsigned* length) {
  line[(*length)++] = blockIdx.x * blockDim.x + threadIdx.x;  // a race, on purpose
}

std::vector<unsigned> order() {
  std::vector<unsigned> line(7 * 64);
  unsigned length = 0;
  launch_kernel(7, 64, line_up, line.data(), &length);
  return line;
}

TEST_CASE("a seed draws the order of a launch", "[simt]") {
  std::set<std::vector<unsigned>> orders;
  std::vector<unsigned> first;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Schedule schedule(seed);
    for (int launch = 0; launch < 2; ++launch) {
      std::vector<unsigned> line = order();
      if (first.empty()) first = line;
      orders.insert(line);
      std::sort(line.begin(), line.end());
      for (unsigned i = 0; i < line.size(); ++i) REQUIRE(line[i] == i);
    }
  }
  CHECK(orders.size() == 40);
  const Schedule again(0);
  CHECK(order() == first);
  {
    const Schedule inner(0);
    CHECK(order() == first);
  }
  CHECK(order() != first);  // the second launch of `again`
}

__global__ void count_under_lock(unsigned* lock, int* count) {
  while (atomicCAS(lock, 0u, 1u) != 0u) {
  }
  const int before = *count;
  __threadfence();
  *count = before + 1;
  atomicExch(lock, 0u);
}

TEST_CASE("a thread that waits by atomics lets the others run", "[simt]") {
  regtorch::simt::for_each_schedule([] {
    unsigned lock = 0;
    int count = 0;
    launch_kernel(2, 64, count_under_lock, &lock, &count);
    CHECK(count == 128);
  });
}

__global__ void add_without_atomics(int* sum) {
  const int before = *sum;
  __syncwarp();
  *sum = before + 1;
}

TEST_CASE("sums that need atomics go wrong without", "[simt]") {
  int sum = 0;
  launch_kernel(1, 64, add_without_atomics, &sum);
  CHECK(sum < 64);
}

}  // namespace
