#pragma once

#include <cstdint>

namespace regtorch::simt {

/// Sets the seed from which the launches within its scope draw the order of blocks and threads and
/// the bytes that shared memory begins with. Each launch in the scope has an order of its own;
/// the same seed gives the same orders again.
class Schedule {
 public:
  explicit Schedule(std::uint64_t seed);
  ~Schedule();
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

 private:
  std::uint64_t seed_before_;
  std::uint64_t launches_before_;
};

/// The seed of the next launch: from the innermost Schedule, else from 0.
std::uint64_t next_launch_seed();

/// Calls `callable` under `count` schedules, one after the other.
template <class Callable>
void for_each_schedule(Callable&& callable, std::uint64_t count = 8) {
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    const Schedule schedule(seed);
    callable();
  }
}

/// Whether `correct` returns true under each of `count` schedules. An exception comes through.
template <class Callable>
bool correct_under_schedules(Callable&& correct, std::uint64_t count = 8) {
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    const Schedule schedule(seed);
    if (!correct()) return false;
  }
  return true;
}

}  // namespace regtorch::simt
