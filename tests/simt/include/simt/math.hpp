#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <type_traits>

#include <math.h>

#include "simt/device_calls.hpp"

// The device's arithmetic. Functions that a device computes approximately are as exact here as the
// host's library, so tests that pass here say nothing about those errors.

namespace regtorch::simt {

/// Keeps the compiler from fusing what is computed with what comes next: __fmul_rn promises a
/// product of its own.
template <class T>
T separate(T x) {
#if defined(__x86_64__)
  asm("" : "+x"(x));
#else
  asm("" : "+m"(x));
#endif
  return x;
}

}  // namespace regtorch::simt

#define REGTORCH_SIMT_ARITHMETIC(letter, T)                                         \
  inline T __##letter##add_rn(T a, T b) { return regtorch::simt::separate(a + b); } \
  inline T __##letter##sub_rn(T a, T b) { return regtorch::simt::separate(a - b); } \
  inline T __##letter##mul_rn(T a, T b) { return regtorch::simt::separate(a * b); } \
  inline T __##letter##div_rn(T a, T b) { return regtorch::simt::separate(a / b); } \
  inline T __##letter##sqrt_rn(T a) { return std::sqrt(a); }                        \
  inline T __##letter##rcp_rn(T a) { return regtorch::simt::separate(T{1} / a); }
REGTORCH_SIMT_ARITHMETIC(f, float)
REGTORCH_SIMT_ARITHMETIC(d, double)
#undef REGTORCH_SIMT_ARITHMETIC
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / std::sqrt(double{x})); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

inline double sinpi(double x) { return std::sin(M_PI * std::remainder(x, 2.0)); }
inline double cospi(double x) { return std::cos(M_PI * std::remainder(x, 2.0)); }
inline float sinpif(float x) { return static_cast<float>(sinpi(double{x})); }
inline float cospif(float x) { return static_cast<float>(cospi(double{x})); }
inline void sincospi(double x, double* sine, double* cosine) {
  *sine = sinpi(x);
  *cosine = cospi(x);
}
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = sinpif(x);
  *cosine = cospif(x);
}

// glibc's <math.h> declares some of these, as names of its own that its library does not offer.
extern "C" {
inline float __expf(float x) noexcept { return std::exp(x); }
inline float __exp10f(float x) noexcept { return static_cast<float>(std::pow(10.0, double{x})); }
inline float __logf(float x) noexcept { return std::log(x); }
inline float __log2f(float x) noexcept { return std::log2(x); }
inline float __log10f(float x) noexcept { return std::log10(x); }
inline float __powf(float x, float y) noexcept { return std::pow(x, y); }
inline float __sinf(float x) noexcept { return std::sin(x); }
inline float __cosf(float x) noexcept { return std::cos(x); }
inline float __tanf(float x) noexcept { return std::tan(x); }
inline void __sincosf(float x, float* sine, float* cosine) noexcept {
  *sine = std::sin(x);
  *cosine = std::cos(x);
}
}

// min and max of each pair of types that CUDA has; a signed and an unsigned make an unsigned.
#define REGTORCH_SIMT_MIN_MAX(A, B)                                                            \
  constexpr std::common_type_t<A, B> min(A a, B b) {                                           \
    return static_cast<std::common_type_t<A, B>>(b) < static_cast<std::common_type_t<A, B>>(a) \
               ? static_cast<std::common_type_t<A, B>>(b)                                      \
               : static_cast<std::common_type_t<A, B>>(a);                                     \
  }                                                                                            \
  constexpr std::common_type_t<A, B> max(A a, B b) {                                           \
    return static_cast<std::common_type_t<A, B>>(a) < static_cast<std::common_type_t<A, B>>(b) \
               ? static_cast<std::common_type_t<A, B>>(b)                                      \
               : static_cast<std::common_type_t<A, B>>(a);                                     \
  }
#define REGTORCH_SIMT_MIN_MAX_SIGNS(T) \
  REGTORCH_SIMT_MIN_MAX(T, T)          \
  REGTORCH_SIMT_MIN_MAX(T, unsigned T) \
  REGTORCH_SIMT_MIN_MAX(unsigned T, T) \
  REGTORCH_SIMT_MIN_MAX(unsigned T, unsigned T)
REGTORCH_SIMT_MIN_MAX_SIGNS(int)
REGTORCH_SIMT_MIN_MAX_SIGNS(long)
REGTORCH_SIMT_MIN_MAX_SIGNS(long long)
#undef REGTORCH_SIMT_MIN_MAX_SIGNS
#undef REGTORCH_SIMT_MIN_MAX

// Of a number and a NaN, the number.
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
inline double min(float a, double b) { return std::fmin(double{a}, b); }
inline double max(float a, double b) { return std::fmax(double{a}, b); }
inline double min(double a, float b) { return std::fmin(a, double{b}); }
inline double max(double a, float b) { return std::fmax(a, double{b}); }

[[noreturn]] inline void __trap() { regtorch::simt::trap(); }
