#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/simd.hpp"

#if defined(REGTORCH_X86_64)
#include <immintrin.h>
#endif

namespace regtorch::kernels {

/// Picks the bytes of a row, in any order: out[i] = row[columns[i]], or 0 where that is kOutside.
///
/// The columns are the same for all rows of an image, so they are prepared once (`aim`). With AVX2
/// a block of kLanes bytes is made by two shuffles wherever its columns lie within 32 of each
/// other, as all combinations of crops and flips do: each looks up one half of those 32 bytes.
class SelectColumns {
 public:
  /// @param width  length of a row, at least 1
  /// @param count  how many columns may be picked
  SelectColumns(Isa isa, int width, int count)
      : can_shuffle_(isa != Isa::kBaseline && width >= kHalf), width_(width) {
    const auto blocks = static_cast<std::size_t>((count + kLanes - 1) / kLanes);
    columns_.resize(blocks * kLanes);
    shuffles_.resize(blocks);
  }

  /// The length of `columns` and of what is made, in whole blocks.
  std::size_t padded() const { return columns_.size(); }

  /// @param columns  each kOutside or in [0, width); readable to the end of the last block
  /// @param count    how many of them are wanted
  REGTORCH_INLINE void aim(const int* columns, int count) {
    count_ = count;
    is_shuffle_ = can_shuffle_;
    const int span = std::min(2 * kHalf, width_);
    for (int x = 0; x < count; x += kLanes) {
      int from[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        from[i] = columns[x + i];
      }
      std::copy_n(from, kLanes, columns_.data() + x);
      if (!can_shuffle_) {
        continue;
      }
      int least = width_;
      int greatest = 0;
      for (int i = 0; i < kLanes; ++i) {
        least = std::min(least, from[i] < 0 ? width_ : from[i]);
        greatest = std::max(greatest, from[i]);
      }
      const int base = std::min(least, width_ - span);
      // A column of the first half is none of the second; bit 7 makes the shuffle give 0.
      std::uint8_t low[kLanes];
      std::uint8_t high[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        const int place = from[i] - base;
        low[i] = static_cast<std::uint8_t>(((from[i] >= 0) & (place < kHalf)) ? place : 0x80);
        high[i] = static_cast<std::uint8_t>(
            ((from[i] >= 0) & (place >= kHalf)) ? place - (span - kHalf) : 0x80);
      }
      Shuffle& shuffle = shuffles_[static_cast<std::size_t>(x / kLanes)];
      shuffle.base = base;
      std::memcpy(shuffle.low, low, kLanes);
      std::memcpy(shuffle.high, high, kLanes);
      is_shuffle_ = is_shuffle_ && greatest - base < span;
    }
  }

  /// Takes the same row of three channels, `plane` bytes apart, to three rows padded() apart.
  void operator()(const std::uint8_t* row, std::size_t plane, std::uint8_t* out) const {
#if defined(REGTORCH_X86_64)
    if (is_shuffle_) {
      return shuffle_rows(row, plane, out);
    }
#endif
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t x = 0; x < static_cast<std::size_t>(count_); ++x) {
        const int from = columns_[x];
        out[c * padded() + x] =
            from < 0 ? std::uint8_t{0} : row[c * plane + static_cast<std::size_t>(from)];
      }
    }
  }

 private:
  static constexpr int kHalf = 16;
  static_assert(kLanes == 2 * kHalf);

  /// How a block is made of the bytes [base, base + kHalf) and of the kHalf bytes that end where
  /// the row, or a span of kLanes, does.
  struct Shuffle {
    int base;
    std::uint8_t low[kLanes];
    std::uint8_t high[kLanes];
  };

#if defined(REGTORCH_X86_64)
  REGTORCH_TARGET_V3 void shuffle_rows(const std::uint8_t* row, std::size_t plane,
                                       std::uint8_t* out) const {
    const int to_second = std::min(kHalf, width_ - kHalf);
    for (std::size_t x = 0; x < static_cast<std::size_t>(count_); x += kLanes) {
      const Shuffle& shuffle = shuffles_[x / kLanes];
      const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(shuffle.low));
      const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(shuffle.high));
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint8_t* from = row + c * plane + shuffle.base;
        const __m256i first =
            _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        const __m256i second = _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + to_second)));
        _mm256_storeu_si256(
            reinterpret_cast<__m256i*>(out + c * padded() + x),
            _mm256_or_si256(_mm256_shuffle_epi8(first, low), _mm256_shuffle_epi8(second, high)));
      }
    }
  }
#endif

  bool can_shuffle_;
  bool is_shuffle_ = false;
  int width_;
  int count_ = 0;
  std::vector<int> columns_;
  std::vector<Shuffle> shuffles_;
};

}  // namespace regtorch::kernels
