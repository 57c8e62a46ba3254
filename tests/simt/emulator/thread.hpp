#pragma once

#include <cstdint>
#include <string>

#include "fiber.hpp"
#include "simt/device_calls.hpp"
#include "simt/vector_types.hpp"

namespace regtorch::simt {

class Block;

/// Whether lanes that make these calls wait for each other.
bool same_call(const WarpCall& a, const WarpCall& b);

/// One thread of a block.
struct Thread {
  enum class State { kReady, kAtBarrier, kInWarpCall, kEnded };

  Block* block = nullptr;
  int number = 0;  // x runs fastest; warps are 32 consecutive numbers
  uint3 index{};
  State state = State::kReady;
  Fiber fiber;

  // What it waits in.
  WarpCall call{};           // kInWarpCall; of a barrier only name and where
  std::uint64_t value = 0;   // what it gives to the others
  int source = 0;            // whose value it wants; -1 in a vote
  std::uint64_t result = 0;  // what the wait gave

  int warp() const { return number / 32; }
  int lane() const { return number % 32; }

  /// "thread (3, 0, 0)".
  std::string name() const;
  /// "waits in __shfl_sync with mask 0x0000ffff (file.cuh:12)", for instance.
  std::string doing() const;
};

}  // namespace regtorch::simt
