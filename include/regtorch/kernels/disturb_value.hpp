#pragma once

#include <algorithm>
#include <cstdint>

#include "regtorch/kernels/normal.hpp"
#include "regtorch/kernels/philox.hpp"
#include "regtorch/kernels/philox_lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// The noise of DisturbValue: one random word an element decides whether, one block of a second
/// stream how much.
namespace regtorch::kernels {

/// Writes the noise of elements [begin, end); `begin` is a multiple of kPhiloxGroup.
///
/// noise[i] is sigma * N(0, 1) with probability yes / 2^32, and else -0.0: what changes no number
/// that it is added to, a zero's sign included.
///
/// @param yes     threshold(probability)
/// @param stream  of the decisions; that of the numbers is the one of the next purpose
inline void disturb_noise(double* noise, std::int64_t begin, std::int64_t end, std::uint64_t yes,
                          double sigma, RandomStream stream, Isa isa) {
  const RandomStream numbers{stream.seed, stream.pass, stream.purpose + 1};
  const PhiloxGroup philox = philox_group(isa);
  for (std::int64_t first = begin; first < end; first += kPhiloxGroup) {
    // Integers alone are compiled for each instruction set: the noise has the same bits on all.
    std::uint32_t words[kPhiloxGroup];
    philox(stream, static_cast<std::uint64_t>(first) / kPhiloxGroup, words);
    const std::int64_t count = std::min<std::int64_t>(kPhiloxGroup, end - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto element = static_cast<std::uint64_t>(first + i);
      noise[first + i] = words[i] < yes ? sigma * standard_normal(numbers.block(element)) : -0.0;
    }
  }
}

}  // namespace regtorch::kernels
