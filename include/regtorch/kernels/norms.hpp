#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "regtorch/kernels/arithmetic.hpp"
#include "regtorch/kernels/simd.hpp"
#include "regtorch/kernels/sums.hpp"

/// Sums over weights or gradients, and what is done with them. Each reads its array once.
namespace regtorch::kernels {

/// Those of the sums of elements [begin, end) that are wanted, the other being 0; added up in an
/// order that only end - begin decides.
template <bool kAbsolute, bool kSquares, class T>
Sums sums(const T* x, std::int64_t begin, std::int64_t end, Isa isa) {
  Sums result;
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    // Four numbers join before they meet a running sum, which waits for the one before.
    constexpr int kGroup = 4 * kNumbers;
    double absolute[kNumbers] = {};
    double squares[kNumbers] = {};
    const auto add = [&](const T* from) REGTORCH_INLINE_LAMBDA {
      for (int i = 0; i < kNumbers; ++i) {
        const auto a = static_cast<double>(from[i]);
        const auto b = static_cast<double>(from[i + kNumbers]);
        const auto c = static_cast<double>(from[i + 2 * kNumbers]);
        const auto d = static_cast<double>(from[i + 3 * kNumbers]);
        if constexpr (kAbsolute) {
          absolute[i] += (std::fabs(a) + std::fabs(b)) + (std::fabs(c) + std::fabs(d));
        }
        if constexpr (kSquares) {
          squares[i] += (a * a + b * b) + (c * c + d * d);
        }
      }
    };
    std::int64_t i = begin;
    for (; i + kGroup <= end; i += kGroup) {
      add(x + i);
    }
    if (i < end) {
      T rest[kGroup] = {};
      std::copy(x + i, x + end, rest);
      add(rest);
    }
    for (int k = 0; k < kNumbers; ++k) {
      result.absolute += absolute[k];
      result.squares += squares[k];
    }
  });
  return result;
}

/// x[i] <- factor * x[i] for elements [begin, end).
template <class T>
void scale(T* x, std::int64_t begin, std::int64_t end, double factor, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    const auto by = static_cast<T>(factor);
    std::int64_t i = begin;
    for (; i + kNumbers <= end; i += kNumbers) {
      for (int k = 0; k < kNumbers; ++k) {
        x[i + k] *= by;
      }
    }
    for (; i < end; ++i) {
      x[i] *= by;
    }
  });
}

/// The gradient of absolute * sum |x| + square * sum x^2, for elements [begin, end):
///
///     out[i] = absolute * sign(x[i]) + 2 * square * x[i]      with sign(0) = 0
template <class T>
void penalty_gradient(const T* x, T* out, std::int64_t begin, std::int64_t end, double absolute,
                      double square, Isa isa) {
  run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
    const auto by_sign = static_cast<T>(absolute);
    const auto by_value = static_cast<T>(2 * square);
    const auto gradient = [&](const T* __restrict from, T* __restrict to, int count)
                              REGTORCH_INLINE_LAMBDA {
                                for (int i = 0; i < count; ++i) {
                                  const T value = from[i];
                                  const T sign = value > 0 ? by_sign : value < 0 ? -by_sign : T{0};
                                  to[i] = by_value * value + sign;
                                }
                              };
    std::int64_t i = begin;
    for (; i + kNumbers <= end; i += kNumbers) {
      gradient(x + i, out + i, kNumbers);
    }
    gradient(x + i, out + i, static_cast<int>(end - i));
  });
}

}  // namespace regtorch::kernels
