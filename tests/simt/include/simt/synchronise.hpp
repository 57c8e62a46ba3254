#pragma once

#include "simt/device_calls.hpp"

// Barriers of blocks and warps, and votes. A call's place comes in as a default argument.

inline void __syncthreads(regtorch::simt::Location where = regtorch::simt::Location::current()) {
  regtorch::simt::block_barrier("__syncthreads", false, where);
}

inline int __syncthreads_count(
    int predicate, regtorch::simt::Location where = regtorch::simt::Location::current()) {
  return regtorch::simt::block_barrier("__syncthreads_count", predicate != 0, where);
}

inline int __syncthreads_or(int predicate,
                            regtorch::simt::Location where = regtorch::simt::Location::current()) {
  return regtorch::simt::block_barrier("__syncthreads_or", predicate != 0, where) > 0;
}

inline int __syncthreads_and(int predicate,
                             regtorch::simt::Location where = regtorch::simt::Location::current()) {
  return regtorch::simt::block_barrier("__syncthreads_and", predicate == 0, where) == 0;
}

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu,
                       regtorch::simt::Location where = regtorch::simt::Location::current()) {
  regtorch::simt::vote({"__syncwarp", mask, 0, where}, false);
}

inline unsigned __ballot_sync(
    unsigned mask, int predicate,
    regtorch::simt::Location where = regtorch::simt::Location::current()) {
  return regtorch::simt::vote({"__ballot_sync", mask, 0, where}, predicate != 0);
}

inline int __any_sync(unsigned mask, int predicate,
                      regtorch::simt::Location where = regtorch::simt::Location::current()) {
  return regtorch::simt::vote({"__any_sync", mask, 0, where}, predicate != 0) != 0;
}

inline int __all_sync(unsigned mask, int predicate,
                      regtorch::simt::Location where = regtorch::simt::Location::current()) {
  return regtorch::simt::vote({"__all_sync", mask, 0, where}, predicate != 0) == mask;
}

// Which lanes happen to run together is the hardware's choice; the emulator's is the caller alone.
inline unsigned __activemask() { return 1u << regtorch::simt::lane(); }

// Memory is in order here: the emulator runs one thread at a time.
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) { regtorch::simt::maybe_preempt(); }
