#pragma once

#include <cmath>
#include <limits>

// Numbers to numbers with the rounding in the name. Out of range, a device answers with the nearest
// integer there is, and with 0 for NaN (64-bit: the lowest bit pattern, not needed here).

namespace regtorch::simt {

template <class Integer, class Real>
Integer saturated(Real rounded) {
  using Limits = std::numeric_limits<Integer>;
  if (std::isnan(rounded)) return 0;
  if (rounded <= static_cast<Real>(Limits::min())) return Limits::min();
  if (rounded >= static_cast<Real>(Limits::max())) return Limits::max();
  return static_cast<Integer>(rounded);
}

}  // namespace regtorch::simt

#define REGTORCH_SIMT_TO_INTEGER(From, from, Integer, integer)    \
  inline Integer __##from##2##integer##_rn(From x) {              \
    return regtorch::simt::saturated<Integer>(std::nearbyint(x)); \
  }                                                               \
  inline Integer __##from##2##integer##_rz(From x) {              \
    return regtorch::simt::saturated<Integer>(std::trunc(x));     \
  }                                                               \
  inline Integer __##from##2##integer##_ru(From x) {              \
    return regtorch::simt::saturated<Integer>(std::ceil(x));      \
  }                                                               \
  inline Integer __##from##2##integer##_rd(From x) {              \
    return regtorch::simt::saturated<Integer>(std::floor(x));     \
  }
REGTORCH_SIMT_TO_INTEGER(float, float, int, int)
REGTORCH_SIMT_TO_INTEGER(float, float, unsigned, uint)
REGTORCH_SIMT_TO_INTEGER(float, float, long long, ll)
REGTORCH_SIMT_TO_INTEGER(float, float, unsigned long long, ull)
REGTORCH_SIMT_TO_INTEGER(double, double, int, int)
REGTORCH_SIMT_TO_INTEGER(double, double, unsigned, uint)
REGTORCH_SIMT_TO_INTEGER(double, double, long long, ll)
REGTORCH_SIMT_TO_INTEGER(double, double, unsigned long long, ull)
#undef REGTORCH_SIMT_TO_INTEGER

inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __ull2float_rn(unsigned long long x) { return static_cast<float>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
inline double __ll2double_rn(long long x) { return static_cast<double>(x); }
inline double __ull2double_rn(unsigned long long x) { return static_cast<double>(x); }
