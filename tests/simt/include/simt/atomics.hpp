#pragma once

#include "simt/device_calls.hpp"

// One thread runs at a time, so these need no more than to be written out. Other threads may come
// before and after, though.

#define REGTORCH_SIMT_ATOMIC(name, T, result) \
  inline T name(T* address, T value) {        \
    regtorch::simt::maybe_preempt();          \
    const T old = *address;                   \
    *address = (result);                      \
    regtorch::simt::maybe_preempt();          \
    return old;                               \
  }

#define REGTORCH_SIMT_ATOMICS(T)                                \
  REGTORCH_SIMT_ATOMIC(atomicMin, T, value < old ? value : old) \
  REGTORCH_SIMT_ATOMIC(atomicMax, T, value > old ? value : old) \
  REGTORCH_SIMT_ATOMIC(atomicAnd, T, old& value)                \
  REGTORCH_SIMT_ATOMIC(atomicOr, T, old | value)                \
  REGTORCH_SIMT_ATOMIC(atomicXor, T, old ^ value)
REGTORCH_SIMT_ATOMICS(int)
REGTORCH_SIMT_ATOMICS(unsigned)
REGTORCH_SIMT_ATOMICS(long long)
REGTORCH_SIMT_ATOMICS(unsigned long long)
#undef REGTORCH_SIMT_ATOMICS

// A signed sum that overflows wraps on a device.
REGTORCH_SIMT_ATOMIC(atomicAdd, int,
                     static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value)))
REGTORCH_SIMT_ATOMIC(atomicAdd, unsigned, old + value)
REGTORCH_SIMT_ATOMIC(atomicAdd, unsigned long long, old + value)
REGTORCH_SIMT_ATOMIC(atomicAdd, float, old + value)
REGTORCH_SIMT_ATOMIC(atomicAdd, double, old + value)
REGTORCH_SIMT_ATOMIC(atomicSub, int,
                     static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value)))
REGTORCH_SIMT_ATOMIC(atomicSub, unsigned, old - value)
REGTORCH_SIMT_ATOMIC(atomicExch, int, value)
REGTORCH_SIMT_ATOMIC(atomicExch, unsigned, value)
REGTORCH_SIMT_ATOMIC(atomicExch, unsigned long long, value)
REGTORCH_SIMT_ATOMIC(atomicExch, float, value)
REGTORCH_SIMT_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
REGTORCH_SIMT_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)

#define REGTORCH_SIMT_CAS(T)                            \
  inline T atomicCAS(T* address, T expected, T value) { \
    regtorch::simt::maybe_preempt();                    \
    const T old = *address;                             \
    if (old == expected) *address = value;              \
    regtorch::simt::maybe_preempt();                    \
    return old;                                         \
  }
REGTORCH_SIMT_CAS(int)
REGTORCH_SIMT_CAS(unsigned)
REGTORCH_SIMT_CAS(unsigned long long)
REGTORCH_SIMT_CAS(unsigned short)
#undef REGTORCH_SIMT_CAS
