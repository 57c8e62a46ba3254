#include "simt/schedule.hpp"

#include "simt/random.hpp"

namespace regtorch::simt {
namespace {

std::uint64_t seed_now = 0;
std::uint64_t launches = 0;

}  // namespace

Schedule::Schedule(std::uint64_t seed) : seed_before_(seed_now), launches_before_(launches) {
  seed_now = seed;
  launches = 0;
}

Schedule::~Schedule() {
  seed_now = seed_before_;
  launches = launches_before_;
}

std::uint64_t next_launch_seed() { return Random(Random(seed_now)() + launches++)(); }

}  // namespace regtorch::simt
