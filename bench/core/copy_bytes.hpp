#pragma once

#include <cstdint>
#include <cstring>

#include "regtorch/core/parallel_for.hpp"

namespace regtorch::bench {

/// The limit that the `copy` variants measure: bytes read once and written once, on all threads, in
/// blocks of `block` bytes.
inline void copy_bytes(const void* from, void* to, std::int64_t bytes, std::int64_t block) {
  const auto* source = static_cast<const char*>(from);
  auto* target = static_cast<char*>(to);
  parallel_for(bytes, block, [=](std::int64_t begin, std::int64_t end) {
    std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
  });
}

}  // namespace regtorch::bench
