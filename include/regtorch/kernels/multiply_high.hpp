#pragma once

#include <cstdint>

#include "regtorch/kernels/simd.hpp"

#if defined(REGTORCH_X86_64)
#include <immintrin.h>
#endif

namespace regtorch::kernels {

/// Multiplies `count` words, a multiple of 16, by `factor`, and keeps the upper half of each
/// product: words[i] = floor(words[i] * factor / 2^32).
///
/// With intrinsics: g++ 12 takes several shuffles for what is two multiplications, of the even and
/// of the odd words, and one blend.
using MultiplyHigh = void (*)(std::uint32_t* words, int count, std::uint32_t factor);

inline void multiply_high_plain(std::uint32_t* words, int count, std::uint32_t factor) {
  for (int i = 0; i < count; ++i) {
    words[i] = static_cast<std::uint32_t>((std::uint64_t{words[i]} * factor) >> 32);
  }
}

#if defined(REGTORCH_X86_64)
REGTORCH_TARGET_V3 inline void multiply_high_v3(std::uint32_t* words, int count,
                                                std::uint32_t factor) {
  const __m256i factors = _mm256_set1_epi64x(factor);
  for (int i = 0; i < count; i += 8) {
    auto* place = reinterpret_cast<__m256i*>(words + i);
    const __m256i from = _mm256_loadu_si256(place);
    const __m256i even = _mm256_mul_epu32(from, factors);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(from, 32), factors);
    _mm256_storeu_si256(place, _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA));
  }
}

REGTORCH_TARGET_V4 inline void multiply_high_v4(std::uint32_t* words, int count,
                                                std::uint32_t factor) {
  constexpr __mmask8 kAll = 0xFF;  // the unmasked intrinsics make g++ 12 warn of its own header
  const __m512i factors = _mm512_set1_epi64(factor);
  for (int i = 0; i < count; i += 16) {
    const __m512i from = _mm512_loadu_si512(words + i);
    const __m512i even = _mm512_maskz_mul_epu32(kAll, from, factors);
    const __m512i odd =
        _mm512_maskz_mul_epu32(kAll, _mm512_maskz_srli_epi64(kAll, from, 32), factors);
    _mm512_storeu_si512(
        words + i, _mm512_mask_blend_epi32(0xAAAA, _mm512_maskz_srli_epi64(kAll, even, 32), odd));
  }
}
#endif

inline MultiplyHigh multiply_high(Isa isa) {
#if defined(REGTORCH_X86_64)
  if (isa == Isa::kV4) {
    return &multiply_high_v4;
  }
  if (isa == Isa::kV3) {
    return &multiply_high_v3;
  }
#endif
  (void)isa;
  return &multiply_high_plain;
}

}  // namespace regtorch::kernels
