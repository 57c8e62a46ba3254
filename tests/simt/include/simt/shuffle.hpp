#pragma once

#include <cstdint>
#include <cstring>

#include "simt/device_calls.hpp"

namespace regtorch::simt {

template <class T>
T shuffle(const WarpCall& call, Shuffle kind, T value, int parameter, int width) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(call, bits, source_lane(call, kind, parameter, width));
  std::memcpy(static_cast<void*>(&value), &bits, sizeof(T));
  return value;
}

}  // namespace regtorch::simt

// Overloads, not templates, so that an argument of another type is converted as nvcc would.
#define REGTORCH_SIMT_SHUFFLE(name, kind, Parameter, T)                                            \
  inline T name(unsigned mask, T value, Parameter parameter, int width = 32,                       \
                regtorch::simt::Location where = regtorch::simt::Location::current()) {            \
    return regtorch::simt::shuffle({#name, mask, sizeof(T), where}, regtorch::simt::Shuffle::kind, \
                                   value, static_cast<int>(parameter), width);                     \
  }
#define REGTORCH_SIMT_SHUFFLES(T)                             \
  REGTORCH_SIMT_SHUFFLE(__shfl_sync, kIndex, int, T)          \
  REGTORCH_SIMT_SHUFFLE(__shfl_up_sync, kUp, unsigned, T)     \
  REGTORCH_SIMT_SHUFFLE(__shfl_down_sync, kDown, unsigned, T) \
  REGTORCH_SIMT_SHUFFLE(__shfl_xor_sync, kXor, int, T)

REGTORCH_SIMT_SHUFFLES(int)
REGTORCH_SIMT_SHUFFLES(unsigned)
REGTORCH_SIMT_SHUFFLES(long)
REGTORCH_SIMT_SHUFFLES(unsigned long)
REGTORCH_SIMT_SHUFFLES(long long)
REGTORCH_SIMT_SHUFFLES(unsigned long long)
REGTORCH_SIMT_SHUFFLES(float)
REGTORCH_SIMT_SHUFFLES(double)
