#include "simt/launch.hpp"

#include <cstdint>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "block.hpp"
#include "simt/coordinates.hpp"
#include "simt/random.hpp"
#include "simt/schedule.hpp"

namespace regtorch::simt {
namespace {

void run_blocks(dim3 grid, dim3 block_size, const std::function<void()>& kernel,
                std::uint64_t seed) {
  Random random(seed);
  coordinates.block_size = block_size;
  coordinates.grid_size = grid;
  Block block(block_size, kernel, random);
  // Each block once, in an order that needs no memory: steps of a length that shares no divisor
  // with the number of blocks.
  const std::uint64_t count = std::uint64_t{grid.x} * grid.y * grid.z;
  std::uint64_t step = random.below(count) + 1;
  while (std::gcd(step, count) != 1) step = step % count + 1;
  std::uint64_t at = random.below(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    block.run({static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
               static_cast<unsigned>(at / grid.x / grid.y)});
    at = (at + step) % count;
  }
}

}  // namespace

bool launchable(dim3 grid, dim3 block) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return false;
  if (grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535) return false;
  if (block.x == 0 || block.y == 0 || block.z == 0) return false;
  if (block.x > 1024 || block.y > 1024 || block.z > 64) return false;
  return block.x * block.y * block.z <= 1024;
}

// In a thread of the operating system of its own: see __shared__ in simt/qualifiers.hpp.
void run_grid(dim3 grid, dim3 block, const std::function<void()>& kernel) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const std::uint64_t seed = next_launch_seed();
  std::exception_ptr failure;
  std::thread([&] {
    try {
      run_blocks(grid, block, kernel, seed);
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace regtorch::simt
