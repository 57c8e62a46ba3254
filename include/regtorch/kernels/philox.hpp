#pragma once

#include <array>
#include <cstdint>

/// Philox 4x32-10, the counter-based generator that every random decision of regtorch comes from.
///
/// A counter-based generator is a pure function of (key, counter). That is what makes "what happens
/// to sample i" independent of the batch size, of the number of threads and of the device.
///
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
namespace regtorch::kernels {

/// Four independent, uniformly distributed 32-bit words.
using PhiloxBlock = std::array<std::uint32_t, 4>;

/// Ten rounds of Philox on one 128-bit counter under a 64-bit key.
constexpr PhiloxBlock philox4x32_10(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0,
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1,
               static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9u;  // the golden ratio and sqrt(3) - 1: the published Weyl sequence
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// A sequence of blocks, one for each 64-bit index.
///
/// Key: the seed. Counter: the index (two words), the pass, and the purpose, so that neither two
/// passes over the data nor two users of one seed ever share a block.
struct RandomStream {
  std::uint64_t seed = 0;
  std::uint32_t pass = 0;
  std::uint32_t purpose = 0;

  constexpr PhiloxBlock block(std::uint64_t index) const {
    return philox4x32_10(
        {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), pass, purpose},
        static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  }
};

/// Maps a random word to an integer in [0, bound) with a multiply and a shift.
/// Bias: each value's probability is off by less than 2^-32.
constexpr std::uint32_t bounded(std::uint32_t word, std::uint32_t bound) {
  return static_cast<std::uint32_t>((std::uint64_t{word} * bound) >> 32);
}

/// The number of the 2^32 words that stand for "yes" at a probability in [0, 1]: `word <
/// threshold(p)` holds with probability p to within 2^-33, and exactly for p = 0 and p = 1.
constexpr std::uint64_t threshold(double probability) {
  return static_cast<std::uint64_t>(probability * 4294967296.0 + 0.5);
}

}  // namespace regtorch::kernels
