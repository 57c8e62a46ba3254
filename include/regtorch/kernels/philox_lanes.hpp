#pragma once

#include <cstdint>

#include "regtorch/kernels/philox.hpp"
#include "regtorch/kernels/simd.hpp"

#if defined(REGTORCH_X86_64)
#include <immintrin.h>
#endif

/// Random words for arrays: one word for each element, many Philox blocks side by side.
///
/// Element i of an array reads word (i % 128) / 32 of block 32 * (i / 128) + i % 32. So 32 blocks
/// computed side by side, as a CPU's vector lanes or a GPU's warp do it, give 128 neighbouring
/// elements their words without any shuffling, and each word of each block is used once.
namespace regtorch::kernels {

inline constexpr int kPhiloxLanes = 32;
/// Elements that one group of kPhiloxLanes blocks serves.
inline constexpr int kPhiloxGroup = 4 * kPhiloxLanes;

/// Writes the words of elements [group * kPhiloxGroup, (group + 1) * kPhiloxGroup).
using PhiloxGroup = void (*)(RandomStream stream, std::uint64_t group, std::uint32_t* words);

inline void philox_group_plain(RandomStream stream, std::uint64_t group, std::uint32_t* words) {
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

#if defined(REGTORCH_X86_64)
namespace detail {

/// Four or eight blocks, a 64-bit lane each, of which the lower half counts: the instruction that
/// multiplies lower halves to 64 bits (vpmuludq) then gives the upper and the lower word of a round
/// where they are needed. g++ 12 does not find it, and shuffles.
struct PhiloxLanesV3 {
  __m256i c0, c1, c2, c3;
};
struct PhiloxLanesV4 {
  __m512i c0, c1, c2, c3;
};

REGTORCH_TARGET_V3 inline void philox_round(PhiloxLanesV3& x, __m256i key0, __m256i key1) {
  const __m256i product0 = _mm256_mul_epu32(x.c0, _mm256_set1_epi64x(0xD2511F53));
  const __m256i product1 = _mm256_mul_epu32(x.c2, _mm256_set1_epi64x(0xCD9E8D57));
  const __m256i upper0 = _mm256_srli_epi64(product0, 32);
  const __m256i upper1 = _mm256_srli_epi64(product1, 32);
  x = {_mm256_xor_si256(upper1, _mm256_xor_si256(x.c1, key0)), product1,
       _mm256_xor_si256(upper0, _mm256_xor_si256(x.c3, key1)), product0};
}

/// The lower halves of even and odd lanes, in turn.
REGTORCH_TARGET_V3 inline void store_lanes(std::uint32_t* words, __m256i even, __m256i odd) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words),
                      _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA));
}

inline constexpr __mmask8 kAllLanes = 0xFF;  // unmasked, g++ 12 warns of its own header

REGTORCH_TARGET_V4 inline void philox_round(PhiloxLanesV4& x, __m512i key0, __m512i key1) {
  const __m512i product0 = _mm512_maskz_mul_epu32(kAllLanes, x.c0, _mm512_set1_epi64(0xD2511F53));
  const __m512i product1 = _mm512_maskz_mul_epu32(kAllLanes, x.c2, _mm512_set1_epi64(0xCD9E8D57));
  const __m512i upper0 = _mm512_maskz_srli_epi64(kAllLanes, product0, 32);
  const __m512i upper1 = _mm512_maskz_srli_epi64(kAllLanes, product1, 32);
  x = {_mm512_xor_si512(upper1, _mm512_xor_si512(x.c1, key0)), product1,
       _mm512_xor_si512(upper0, _mm512_xor_si512(x.c3, key1)), product0};
}

REGTORCH_TARGET_V4 inline void store_lanes(std::uint32_t* words, __m512i even, __m512i odd) {
  _mm512_storeu_si512(
      words, _mm512_mask_blend_epi32(0xAAAA, even, _mm512_maskz_slli_epi64(kAllLanes, odd, 32)));
}

}  // namespace detail

REGTORCH_TARGET_V3 inline void philox_group_v3(RandomStream stream, std::uint64_t group,
                                               std::uint32_t* words) {
  const std::uint64_t first = group * kPhiloxLanes;
  const __m256i upper = _mm256_set1_epi64x(static_cast<std::int64_t>(first >> 32));
  const __m256i pass = _mm256_set1_epi64x(stream.pass);
  const __m256i purpose = _mm256_set1_epi64x(stream.purpose);
  for (int lane = 0; lane < kPhiloxLanes; lane += 8) {
    const __m256i index = _mm256_set1_epi64x(static_cast<std::int64_t>(first) + lane);
    detail::PhiloxLanesV3 even{_mm256_add_epi64(index, _mm256_setr_epi64x(0, 2, 4, 6)), upper, pass,
                               purpose};
    detail::PhiloxLanesV3 odd{_mm256_add_epi64(index, _mm256_setr_epi64x(1, 3, 5, 7)), upper, pass,
                              purpose};
    __m256i key0 = _mm256_set1_epi64x(static_cast<std::int64_t>(stream.seed));
    __m256i key1 = _mm256_set1_epi64x(static_cast<std::int64_t>(stream.seed >> 32));
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      detail::philox_round(even, key0, key1);
      detail::philox_round(odd, key0, key1);
      key0 = _mm256_add_epi32(key0, _mm256_set1_epi64x(0x9E3779B9));
      key1 = _mm256_add_epi32(key1, _mm256_set1_epi64x(0xBB67AE85));
    }
    detail::store_lanes(words + lane, even.c0, odd.c0);
    detail::store_lanes(words + lane + kPhiloxLanes, even.c1, odd.c1);
    detail::store_lanes(words + lane + 2 * kPhiloxLanes, even.c2, odd.c2);
    detail::store_lanes(words + lane + 3 * kPhiloxLanes, even.c3, odd.c3);
  }
}

REGTORCH_TARGET_V4 inline void philox_group_v4(RandomStream stream, std::uint64_t group,
                                               std::uint32_t* words) {
  const std::uint64_t first = group * kPhiloxLanes;
  const __m512i upper = _mm512_set1_epi64(static_cast<std::int64_t>(first >> 32));
  const __m512i pass = _mm512_set1_epi64(stream.pass);
  const __m512i purpose = _mm512_set1_epi64(stream.purpose);
  for (int lane = 0; lane < kPhiloxLanes; lane += 16) {
    const __m512i index = _mm512_set1_epi64(static_cast<std::int64_t>(first) + lane);
    detail::PhiloxLanesV4 even{
        _mm512_add_epi64(index, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14)), upper, pass,
        purpose};
    detail::PhiloxLanesV4 odd{_mm512_add_epi64(index, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15)),
                              upper, pass, purpose};
    __m512i key0 = _mm512_set1_epi64(static_cast<std::int64_t>(stream.seed));
    __m512i key1 = _mm512_set1_epi64(static_cast<std::int64_t>(stream.seed >> 32));
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      detail::philox_round(even, key0, key1);
      detail::philox_round(odd, key0, key1);
      key0 = _mm512_add_epi32(key0, _mm512_set1_epi64(0x9E3779B9));
      key1 = _mm512_add_epi32(key1, _mm512_set1_epi64(0xBB67AE85));
    }
    detail::store_lanes(words + lane, even.c0, odd.c0);
    detail::store_lanes(words + lane + kPhiloxLanes, even.c1, odd.c1);
    detail::store_lanes(words + lane + 2 * kPhiloxLanes, even.c2, odd.c2);
    detail::store_lanes(words + lane + 3 * kPhiloxLanes, even.c3, odd.c3);
  }
}
#endif

inline PhiloxGroup philox_group(Isa isa) {
#if defined(REGTORCH_X86_64)
  if (isa == Isa::kV4) {
    return &philox_group_v4;
  }
  if (isa == Isa::kV3) {
    return &philox_group_v3;
  }
#endif
  (void)isa;
  return &philox_group_plain;
}

}  // namespace regtorch::kernels
