#pragma once

#include "simt/float16_bits.hpp"
#include "simt/shuffle.hpp"
#include "simt/vector_types.hpp"

// As in CUDA: no constructor that does anything by default, so that shared arrays of it are
// allowed.

struct __nv_bfloat16_raw {
  unsigned short x;
};

struct __nv_bfloat162_raw {
  unsigned short x, y;
};

struct __nv_bfloat16 {
  __nv_bfloat16() = default;
  constexpr __nv_bfloat16(float value) : bits_(regtorch::simt::round_to_16_bits(value, 8, 7)) {}
  constexpr __nv_bfloat16(double value) : __nv_bfloat16(static_cast<float>(value)) {}
  constexpr __nv_bfloat16(int value) : __nv_bfloat16(static_cast<float>(value)) {}
  constexpr __nv_bfloat16(__nv_bfloat16_raw raw) : bits_(raw.x) {}
  constexpr operator float() const { return regtorch::simt::bfloat16_to_float(bits_); }
  constexpr operator __nv_bfloat16_raw() const { return {bits_}; }

 private:
  unsigned short bits_;
};

struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
  __nv_bfloat162() = default;
  constexpr __nv_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) : x(a), y(b) {}
};

constexpr __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
constexpr __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
constexpr float __bfloat162float(__nv_bfloat16 x) { return x; }
constexpr unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) {
  return static_cast<__nv_bfloat16_raw>(x).x;
}
constexpr __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  return __nv_bfloat16_raw{bits};
}

constexpr __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
constexpr __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
constexpr __nv_bfloat162 __floats2bfloat162_rn(float a, float b) {
  return {__nv_bfloat16(a), __nv_bfloat16(b)};
}
constexpr __nv_bfloat162 __float22bfloat162_rn(float2 v) {
  return {__nv_bfloat16(v.x), __nv_bfloat16(v.y)};
}
constexpr float2 __bfloat1622float2(__nv_bfloat162 v) { return {v.x, v.y}; }
constexpr __nv_bfloat16 __low2bfloat16(__nv_bfloat162 v) { return v.x; }
constexpr __nv_bfloat16 __high2bfloat16(__nv_bfloat162 v) { return v.y; }
constexpr float __low2float(__nv_bfloat162 v) { return v.x; }
constexpr float __high2float(__nv_bfloat162 v) { return v.y; }

REGTORCH_SIMT_SHUFFLES(__nv_bfloat16)
REGTORCH_SIMT_SHUFFLES(__nv_bfloat162)
