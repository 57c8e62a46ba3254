#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>

#include <sys/mman.h>
#include <unistd.h>

/// Memory straight from the operating system.
namespace regtorch::kernels {

/// What one entry of the processor's address cache covers at best.
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

constexpr std::size_t round_up(std::size_t bytes, std::size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

/// `length` zeroed bytes, a multiple of 64 KiB, at a multiple of 2 MiB, in huge pages where the
/// system has them (and in small ones behind the last multiple of 2 MiB); nullptr if there are
/// none left.
inline std::byte* map_pages(std::size_t length) {
  // Larger by a huge page, so that an aligned part is in it; what lies around that goes back.
  void* mapped = ::mmap(nullptr, length + kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return nullptr;
  }
  auto* const begin = static_cast<std::byte*>(mapped);
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t before = round_up(address, kHugePage) - address;
  if (before > 0) {
    ::munmap(begin, before);
  }
  if (before < kHugePage) {
    ::munmap(begin + before + length, kHugePage - before);
  }
#if defined(MADV_HUGEPAGE)
  ::madvise(begin + before, length, MADV_HUGEPAGE);  // refused: small pages, which do as well
#endif
  return begin + before;
}

inline void unmap_pages(std::byte* pages, std::size_t length) { ::munmap(pages, length); }

/// The bytes of memory that this process may use: the machine's, or its container's.
inline std::size_t memory_size() {
  auto size = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
              static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::size_t limit = 0;
    if (std::ifstream(file) >> limit) {  // not where it says "max"
      size = std::min(size, limit);
    }
  }
  return size;
}

}  // namespace regtorch::kernels
