#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "regtorch/kernels/simd.hpp"

/// What the two ways of smoothed_cross_entropy.hpp have in common.
namespace regtorch::kernels {

/// What a label asks of its row of logits x: with t the label's class and w_c the classes' weights,
///
///     loss       = scale w_t (log sum_c e^x_c - x_t) + floor sum_c w_c (log sum_d e^x_d - x_c)
///     gradient_c = p_c (scale w_t + floor sum_d w_d) - floor w_c - [c = t] scale w_t
///
/// A label that is ignore_index makes both 0, whatever the logits are.
struct SmoothedTargets {
  std::int64_t classes = 0;
  float scale = 1;
  float floor = 0;
  const float* weight = nullptr;  ///< [classes], or nullptr: each is 1
  float weight_sum = 0;           ///< the number of classes if there are no weights
  std::int64_t ignore_index = 0;

  float weight_of(std::int64_t target) const { return weight == nullptr ? 1.0f : weight[target]; }
};

/// Rows of logits, one after the other, their labels, each in [0, classes) or ignore_index, and
/// where the results go.
template <class Format>
struct LossRows {
  using Stored = typename Format::Stored;
  const Stored* logits = nullptr;
  const std::int64_t* targets = nullptr;
  Stored* gradient = nullptr;      ///< like the logits, or nullptr: not wanted
  float* losses = nullptr;         ///< one a row, or nullptr: not wanted
  float factor = 1;                ///< of the gradient: of a mean one over its divisor
  const float* factors = nullptr;  ///< of each row's gradient; nullptr: `factor` for all
};

/// Elements that loops take at a time: whole registers on every instruction set.
inline constexpr int kLossChunk = 32;

/// Asks the memory for what comes next while some rows are computed: they are too short, and the
/// pauses between them too long, for the hardware to see it coming.
template <class Stored>
struct Ahead {
  const Stored* logits;
  const Stored* gradient;  ///< or `logits` again, where none is wanted
  std::int64_t distance;   ///< to what comes next

  /// @param i  what is being computed: [i, i + kLossChunk) from the beginning
  REGTORCH_INLINE void fetch(std::int64_t i) const {
    // Addresses and no pointers: the last ones lie outside the arrays, where a prefetch does
    // nothing.
    const auto place = static_cast<std::uintptr_t>(distance + i) * sizeof(Stored);
    for (std::uintptr_t k = place; k < place + kLossChunk * sizeof(Stored); k += 64) {
      __builtin_prefetch(
          reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(logits) + k));
      __builtin_prefetch(
          reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(gradient) + k), 1);
    }
  }
};

/// combine(v[0], v[1], ...), by halves.
template <int kWidth, class Combine>
REGTORCH_INLINE float fold(float* v, const Combine& combine) {
  if constexpr (kWidth == 1) {
    return v[0];
  } else {
    for (int i = 0; i < kWidth / 2; ++i) {
      v[i] = combine(v[i], v[i + kWidth / 2]);
    }
    return fold<kWidth / 2>(v, combine);
  }
}

struct Larger {
  REGTORCH_INLINE float operator()(float a, float b) const { return a > b ? a : b; }
};
struct Plus {
  REGTORCH_INLINE float operator()(float a, float b) const { return a + b; }
};

/// Reads `count` numbers and appends -inf up to a multiple of kLossChunk, for which there is room.
/// @return the greatest of them and `most`; a nan may be passed over
template <class Format>
REGTORCH_INLINE float read_piece(const typename Format::Stored* from, int count, float* to,
                                 float most) {
  float greatest[kLossChunk];
  for (int k = 0; k < kLossChunk; ++k) {
    greatest[k] = most;
  }
  const auto read = [&](const typename Format::Stored* in, float* out) REGTORCH_INLINE_LAMBDA {
    for (int k = 0; k < kLossChunk; ++k) {
      const float value = Format::read(in[k]);
      out[k] = value;
      greatest[k] = greatest[k] > value ? greatest[k] : value;
    }
  };
  int i = 0;
  for (; i + kLossChunk <= count; i += kLossChunk) {
    read(from + i, to + i);
  }
  if (i < count) {
    typename Format::Stored rest[kLossChunk];
    std::memcpy(rest, from + i, static_cast<std::size_t>(count - i) * sizeof(rest[0]));
    std::fill(rest + (count - i), rest + kLossChunk,
              Format::write(-std::numeric_limits<float>::infinity()));
    read(rest, to + i);
  }
  return fold<kLossChunk>(greatest, Larger{});
}

/// Writes `count` numbers.
template <class Format>
REGTORCH_INLINE void write_piece(const float* from, int count, typename Format::Stored* to) {
  int i = 0;
  for (; i + kLossChunk <= count; i += kLossChunk) {
    for (int k = 0; k < kLossChunk; ++k) {
      to[i + k] = Format::write(from[i + k]);
    }
  }
  for (; i < count; ++i) {
    to[i] = Format::write(from[i]);
  }
}

}  // namespace regtorch::kernels
