#pragma once

#include <cstdint>
#include <source_location>

/// What the functions of the emulated <cuda_runtime.h> ask of the emulator.
namespace regtorch::simt {

using Location = std::source_location;

/// __syncthreads and its kin: waits for the whole block; returns for how many threads `predicate`
/// was true.
int block_barrier(const char* name, bool predicate, const Location& where);

/// A warp function's call, for messages and for comparing it with the other lanes' calls.
struct WarpCall {
  const char* name;
  unsigned mask;
  unsigned bytes;  // of the value's type; 0 where there is none
  Location where;
};

inline bool names(const WarpCall& call, int lane) { return (call.mask >> lane & 1u) != 0; }

/// Waits for the lanes of the mask; returns the value that lane `source` gave.
std::uint64_t exchange(const WarpCall& call, std::uint64_t value, int source);

/// Waits for the lanes of the mask; returns one bit a lane.
unsigned vote(const WarpCall& call, bool predicate);

/// The calling thread's place in its warp.
int lane();

/// From where a shuffle reads; the caller's own lane where CUDA says so. Throws if `width` is not a
/// power of two up to 32.
enum class Shuffle { kIndex, kUp, kDown, kXor };
int source_lane(const WarpCall& call, Shuffle kind, int parameter, int width);

/// Ends the launch with an error.
[[noreturn]] void trap();

/// Once in a while lets other threads run before the caller goes on.
void maybe_preempt();

}  // namespace regtorch::simt
