#pragma once

#include <cstdint>

#include "regtorch/kernels/simd.hpp"

#if defined(REGTORCH_X86_64)
#include <immintrin.h>
#endif

namespace regtorch::kernels {

/// Copies bytes of a row into another order: out[i] = row[columns[i]] for i < count.
///
/// `width` is the row's length; every column is below it; `out` has room for `count` rounded up to
/// a multiple of 32, and `columns` is readable as far.
using SelectColumns = void (*)(const std::uint8_t* row, int width, const std::uint16_t* columns,
                               int count, std::uint8_t* out);

inline void select_columns_plain(const std::uint8_t* row, int /*width*/,
                                 const std::uint16_t* columns, int count, std::uint8_t* out) {
  for (int i = 0; i < count; ++i) {
    out[i] = row[columns[i]];
  }
}

#if defined(REGTORCH_X86_64)
/// A row of at most 32 pixels fits one register, and one instruction (vpermw) permutes it.
REGTORCH_TARGET_V4 inline void select_columns_v4(const std::uint8_t* row, int width,
                                                 const std::uint16_t* columns, int count,
                                                 std::uint8_t* out) {
  if (width > 32) {
    return select_columns_plain(row, width, columns, count, out);
  }
  const __mmask32 inside = static_cast<__mmask32>((std::uint64_t{1} << width) - 1);
  const __m512i words = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(inside, row));
  for (int i = 0; i < count; i += 32) {
    const __m512i order = _mm512_loadu_si512(columns + i);
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(out + i),
        _mm512_maskz_cvtepi16_epi8(~__mmask32{0}, _mm512_permutexvar_epi16(order, words)));
  }
}
#endif

inline SelectColumns select_columns(Isa isa) {
#if defined(REGTORCH_X86_64)
  if (isa == Isa::kV4) {
    return &select_columns_v4;
  }
#endif
  (void)isa;
  return &select_columns_plain;
}

}  // namespace regtorch::kernels
