#pragma once

#include <cstdint>

// CUDA's small vectors, with its alignments: a vector is loaded by one instruction if its size is a
// power of two up to 16 bytes.

#define REGTORCH_SIMT_VECTORS(Name, T)                                               \
  struct Name##1 { T x; };                                                           \
  struct alignas(2 * sizeof(T)) Name##2 { T x, y; };                                 \
  struct Name##3 { T x, y, z; };                                                     \
  struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) Name##4 { T x, y, z, w; }; \
  constexpr Name##1 make_##Name##1(T x) { return {x}; }                              \
  constexpr Name##2 make_##Name##2(T x, T y) { return {x, y}; }                      \
  constexpr Name##3 make_##Name##3(T x, T y, T z) { return {x, y, z}; }              \
  constexpr Name##4 make_##Name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

REGTORCH_SIMT_VECTORS(char, signed char)
REGTORCH_SIMT_VECTORS(uchar, unsigned char)
REGTORCH_SIMT_VECTORS(short, short)
REGTORCH_SIMT_VECTORS(ushort, unsigned short)
REGTORCH_SIMT_VECTORS(int, int)
REGTORCH_SIMT_VECTORS(uint, unsigned)
REGTORCH_SIMT_VECTORS(long, long)
REGTORCH_SIMT_VECTORS(ulong, unsigned long)
REGTORCH_SIMT_VECTORS(longlong, long long)
REGTORCH_SIMT_VECTORS(ulonglong, unsigned long long)
REGTORCH_SIMT_VECTORS(float, float)
REGTORCH_SIMT_VECTORS(double, double)
#undef REGTORCH_SIMT_VECTORS

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};
