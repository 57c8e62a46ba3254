#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "regtorch/kernels/normal.hpp"
#include "regtorch/kernels/philox.hpp"
#include "regtorch/kernels/philox_lanes.hpp"
#include "regtorch/kernels/simd.hpp"

/// The noise of DisturbValue: one random word an element decides whether, one block of a second
/// stream how much.
///
/// Memory traffic: a value is read once and written once, 4 + 4 bytes (float32). Arithmetic is the
/// nearer limit: each disturbed value costs a block, a logarithm and a cosine in float64.
namespace regtorch::kernels {

/// Disturbs the values [begin, end) of an array; `begin` is a multiple of kPhiloxGroup.
///
/// out[i] = in[i] + sigma * N(0, 1) with probability yes / 2^32, summed in float64 and rounded to
/// Value (by way of float32 where Value is a class, a 16-bit type); else in[i].
///
/// @param yes     threshold(probability)
/// @param stream  of the decisions; that of the numbers is the one of the next purpose
template <class Value>
void disturb_values(const Value* in, Value* out, std::int64_t begin, std::int64_t end,
                    std::uint64_t yes, double sigma, RandomStream stream, Isa isa) {
  const RandomStream numbers{stream.seed, stream.pass, stream.purpose + 1};
  const PhiloxGroup philox = philox_group(isa);
  for (std::int64_t first = begin; first < end; first += kPhiloxGroup) {
    // Integers alone are compiled for each instruction set: the noise has the same bits on all.
    std::uint32_t words[kPhiloxGroup];
    philox(stream, static_cast<std::uint64_t>(first) / kPhiloxGroup, words);
    const std::int64_t count = std::min<std::int64_t>(kPhiloxGroup, end - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t element = first + i;
      if (words[i] >= yes) {
        out[element] = in[element];
        continue;
      }
      const PhiloxBlock block = numbers.block(static_cast<std::uint64_t>(element));
      const double sum = static_cast<double>(in[element]) + sigma * standard_normal(block);
      if constexpr (std::is_floating_point_v<Value>) {
        out[element] = static_cast<Value>(sum);
      } else {
        out[element] = Value(static_cast<float>(sum));
      }
    }
  }
}

}  // namespace regtorch::kernels
