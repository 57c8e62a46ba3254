#pragma once

#include "simt/float16_bits.hpp"
#include "simt/shuffle.hpp"
#include "simt/vector_types.hpp"

// As in CUDA: no constructor that does anything by default, so that shared arrays of it are
// allowed.

struct __half_raw {
  unsigned short x;
};

struct __half2_raw {
  unsigned short x, y;
};

struct __half {
  __half() = default;
  constexpr __half(float value) : bits_(regtorch::simt::round_to_16_bits(value, 5, 10)) {}
  constexpr __half(double value) : __half(static_cast<float>(value)) {}
  constexpr __half(int value) : __half(static_cast<float>(value)) {}
  constexpr __half(__half_raw raw) : bits_(raw.x) {}
  constexpr operator float() const { return regtorch::simt::half_to_float(bits_); }
  constexpr operator __half_raw() const { return {bits_}; }

 private:
  unsigned short bits_;
};
using half = __half;

struct alignas(4) __half2 {
  __half x, y;
  __half2() = default;
  constexpr __half2(__half a, __half b) : x(a), y(b) {}
};
using half2 = __half2;

constexpr __half __float2half_rn(float x) { return __half(x); }
constexpr __half __float2half(float x) { return __half(x); }
constexpr float __half2float(__half x) { return x; }
constexpr unsigned short __half_as_ushort(__half x) { return static_cast<__half_raw>(x).x; }
constexpr __half __ushort_as_half(unsigned short bits) { return __half_raw{bits}; }

constexpr __half2 __halves2half2(__half a, __half b) { return {a, b}; }
constexpr __half2 make_half2(__half a, __half b) { return {a, b}; }
constexpr __half2 __floats2half2_rn(float a, float b) { return {__half(a), __half(b)}; }
constexpr __half2 __float22half2_rn(float2 v) { return {__half(v.x), __half(v.y)}; }
constexpr float2 __half22float2(__half2 v) { return {v.x, v.y}; }
constexpr __half __low2half(__half2 v) { return v.x; }
constexpr __half __high2half(__half2 v) { return v.y; }
constexpr float __low2float(__half2 v) { return v.x; }
constexpr float __high2float(__half2 v) { return v.y; }

REGTORCH_SIMT_SHUFFLES(__half)
REGTORCH_SIMT_SHUFFLES(__half2)
