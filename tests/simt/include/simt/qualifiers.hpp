#pragma once

// The words that CUDA adds to C++.

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
// libstdc++ writes __attribute__((__noinline__)) in these headers, so they come before the macro.
#include <memory>
#define __noinline__ __attribute__((noinline))

// One thread of the operating system runs a launch, its blocks one after the other, so its
// thread-local variables are what the threads of one block share. Why not just `static`: shared
// memory must look uninitialised at the beginning of each block, also in function templates, so its
// place must be known, and g++ 12 ignores section attributes on the static variables of a
// template. Thread-local variables of a program lie in one segment in any case, and the emulator
// fills the whole of it (emulator/shared_memory.cpp); nothing else that runs in that thread keeps
// anything there. The price: AddressSanitizer knows no bounds of thread-local arrays, but
// -fsanitize=bounds does.
#define __shared__ static thread_local
