#pragma once

#include <cstdint>

#include "regtorch/kernels/philox.hpp"
#include "regtorch/kernels/simd.hpp"

/// Random words for arrays: one word for each element, many Philox blocks side by side.
///
/// Element i of an array reads word (i % 128) / 32 of block 32 * (i / 128) + i % 32. So 32 blocks
/// computed side by side, as a CPU's vector lanes or a GPU's warp do it, give 128 neighbouring
/// elements their words without any shuffling, and each word of each block is used once.
namespace regtorch::kernels {

inline constexpr int kPhiloxLanes = 32;
/// Elements that one group of kPhiloxLanes blocks serves.
inline constexpr int kPhiloxGroup = 4 * kPhiloxLanes;

/// The words of elements [group * kPhiloxGroup, (group + 1) * kPhiloxGroup).
REGTORCH_INLINE void philox_group(RandomStream stream, std::uint64_t group,
                                  std::uint32_t (&words)[kPhiloxGroup]) {
  std::uint32_t* c0 = words;
  std::uint32_t* c1 = words + kPhiloxLanes;
  std::uint32_t* c2 = words + 2 * kPhiloxLanes;
  std::uint32_t* c3 = words + 3 * kPhiloxLanes;
  const std::uint64_t first = group * kPhiloxLanes;
  for (int i = 0; i < kPhiloxLanes; ++i) {
    // No carry into the upper word: `first` is a multiple of the number of lanes.
    c0[i] = static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(i);
    c1[i] = static_cast<std::uint32_t>(first >> 32);
    c2[i] = stream.pass;
    c3[i] = stream.purpose;
  }
  auto key0 = static_cast<std::uint32_t>(stream.seed);
  auto key1 = static_cast<std::uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kPhiloxLanes; ++i) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * c0[i];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * c2[i];
      const std::uint32_t next0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1[i] ^ key0;
      const std::uint32_t next2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3[i] ^ key1;
      c0[i] = next0;
      c1[i] = static_cast<std::uint32_t>(product1);
      c2[i] = next2;
      c3[i] = static_cast<std::uint32_t>(product0);
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

}  // namespace regtorch::kernels
