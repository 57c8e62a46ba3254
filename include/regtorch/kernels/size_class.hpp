#pragma once

#include <bit>
#include <cstddef>

namespace regtorch::kernels {

/// The least block of a MemoryCache: from here on an eighth of a size is a page or more.
inline constexpr std::size_t kLeastBlock = std::size_t{32} << 10;

/// What a size is rounded up to, and the number of that.
struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};

/// Powers of two from 32 KiB on and seven sizes between any two of them: for a size above 32 KiB,
/// less than an eighth more. `bytes` is at most 2^47.
constexpr SizeClass size_class(std::size_t bytes) {
  if (bytes <= kLeastBlock) {
    return {0, kLeastBlock};
  }
  const auto log = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  const std::size_t below = std::size_t{1} << log;  // below < bytes <= 2 * below
  const std::size_t eighths = (bytes - 1 - below) / (below / 8) + 1;
  return {(log - 15) * 8 + eighths, below + eighths * (below / 8)};
}

}  // namespace regtorch::kernels
