#pragma once

#include <cmath>

#include "regtorch/kernels/simd.hpp"

#if defined(REGTORCH_X86_64)
#include <immintrin.h>
#endif

/// The two operations that a plain loop does not get in vectors: std::fma is a call where the
/// instruction may be missing, and std::sqrt sets errno.
namespace regtorch::kernels {

/// How many numbers a loop takes at a time.
inline constexpr int kNumbers = 16;

/// For any machine: a multiplication, then an addition.
struct PlainArithmetic {
  template <class T>
  static REGTORCH_INLINE T multiply_add(T a, T b, T c) {
    return a * b + c;
  }

  /// The square roots of kNumbers numbers, in place.
#if defined(REGTORCH_X86_64)
  static REGTORCH_INLINE void square_root(float* x) {
    for (int i = 0; i < kNumbers; i += 4) {
      _mm_storeu_ps(x + i, _mm_sqrt_ps(_mm_loadu_ps(x + i)));
    }
  }
  static REGTORCH_INLINE void square_root(double* x) {
    for (int i = 0; i < kNumbers; i += 2) {
      _mm_storeu_pd(x + i, _mm_sqrt_pd(_mm_loadu_pd(x + i)));
    }
  }
#else
  template <class T>
  static REGTORCH_INLINE void square_root(T* x) {
    for (int i = 0; i < kNumbers; ++i) {
      x[i] = std::sqrt(x[i]);
    }
  }
#endif
};

#if defined(REGTORCH_X86_64)
/// With the one instruction that rounds once. Its functions are inlined only into those of the same
/// target, so they are `inline` and no more.
struct V3Arithmetic {
  static REGTORCH_INLINE float multiply_add(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
  }
  static REGTORCH_INLINE double multiply_add(double a, double b, double c) {
    return __builtin_fma(a, b, c);
  }
  REGTORCH_TARGET_V3 static inline void square_root(float* x) {
    for (int i = 0; i < kNumbers; i += 8) {
      _mm256_storeu_ps(x + i, _mm256_sqrt_ps(_mm256_loadu_ps(x + i)));
    }
  }
  REGTORCH_TARGET_V3 static inline void square_root(double* x) {
    for (int i = 0; i < kNumbers; i += 4) {
      _mm256_storeu_pd(x + i, _mm256_sqrt_pd(_mm256_loadu_pd(x + i)));
    }
  }
};

/// The masks are full: g++ 12 warns of the unmasked intrinsics' undefined operand.
struct V4Arithmetic : V3Arithmetic {
  REGTORCH_TARGET_V4 static inline void square_root(float* x) {
    _mm512_storeu_ps(x, _mm512_maskz_sqrt_ps(0xFFFF, _mm512_loadu_ps(x)));
  }
  REGTORCH_TARGET_V4 static inline void square_root(double* x) {
    for (int i = 0; i < kNumbers; i += 8) {
      _mm512_storeu_pd(x + i, _mm512_maskz_sqrt_pd(0xFF, _mm512_loadu_pd(x + i)));
    }
  }
};
#endif

/// Calls `kernel(arithmetic)`, compiled for `isa`, with that one's arithmetic; its operator() must
/// be REGTORCH_INLINE.
template <class Kernel>
void run_with_arithmetic(Isa isa, const Kernel& kernel) {
#if defined(REGTORCH_X86_64)
  if (isa == Isa::kV4) {
    return run_on_v4([&]() REGTORCH_INLINE_LAMBDA { kernel(V4Arithmetic{}); });
  }
  if (isa == Isa::kV3) {
    return run_on_v3([&]() REGTORCH_INLINE_LAMBDA { kernel(V3Arithmetic{}); });
  }
#endif
  (void)isa;
  kernel(PlainArithmetic{});
}

}  // namespace regtorch::kernels
