#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "regtorch/kernels/pages.hpp"
#include "regtorch/kernels/size_class.hpp"

namespace regtorch::kernels {

/// What a MemoryCache has, in bytes, and what it did since it was made.
struct MemoryCacheStatistics {
  std::size_t in_use = 0;    ///< in blocks handed out, as rounded up
  std::size_t cached = 0;    ///< in blocks that came back and are kept
  std::size_t mapped = 0;    ///< address space: both, and what no block was made of yet
  std::uint64_t hits = 0;    ///< allocations that got a block kept
  std::uint64_t misses = 0;  ///< and those that needed new memory
};

/// Blocks of memory that are kept when they come back, since new pages cost more than most work
/// done on them: the system has to zero each and to enter it in the page table.
///
/// A block is rounded up to its size class and reused for the same class, the one that came back
/// last first (it may still be in the processor's cache). Blocks of 4 MiB and more are mappings of
/// their own, and where none of the class is idle, one of the next two serves: tensors of almost
/// the same size, not in use at once, take turns. Smaller blocks share a mapping (a chunk) with
/// others of their class, so that they too lie in huge pages. A chunk without a block in use is
/// idle and can go back to the system. That happens, the one idle for longest first, where more
/// than `max_bytes` are or would be mapped; so what is kept never makes the process larger than
/// that.
///
/// Every function may be called by any thread, and a block be released by another one than made it.
/// They take one mutex for about 50 ns, and longer for new memory.
class MemoryCache {
 public:
  /// @param max_bytes  mapped memory beyond which nothing is kept
  explicit MemoryCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Gives all memory back, also that of blocks in use.
  ~MemoryCache() {
    for (const std::list<Chunk>& chunks : chunks_) {
      for (const Chunk& chunk : chunks) {
        unmap_pages(chunk.begin, chunk.length);
      }
    }
  }
  MemoryCache(const MemoryCache&) = delete;
  MemoryCache& operator=(const MemoryCache&) = delete;

  /// A block of at least `bytes`, of any content, at a multiple of 4,096; nullptr if there is no
  /// memory even with nothing kept.
  void* allocate(std::size_t bytes) {
    if (bytes > (std::size_t{1} << 47)) {  // of all addresses
      return nullptr;
    }
    const SizeClass size = size_class(bytes);
    const std::lock_guard<std::mutex> lock(mutex_);
    std::list<Chunk>& chunks = class_with_room(size);
    if (!has_room(chunks) && !add_chunk(chunks, size.bytes)) {
      return nullptr;
    }
    Chunk& chunk = chunks.front();
    std::size_t number = chunk.made;
    if (chunk.free.empty()) {
      ++chunk.made;
      ++statistics_.misses;
    } else {
      number = chunk.free.back();
      chunk.free.pop_back();
      statistics_.cached -= chunk.block;
      ++statistics_.hits;
    }
    statistics_.in_use += chunk.block;
    if (++chunk.in_use == 1) {
      busy_.splice(busy_.end(), idle_, chunk.in_idle_or_busy);
    }
    if (chunk.full()) {  // which stand behind those with room
      chunks.splice(chunks.end(), chunks, chunk.in_class);
    }
    return chunk.begin + number * chunk.block;
  }

  /// Takes a block back; false if it is none of this cache's.
  bool release(void* block) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    if (address % 4096 != 0) {
      return false;  // without a look at the table, let alone the mutex
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = chunk_of_.find(address / kHugePage);
    if (found == chunk_of_.end()) {
      return false;
    }
    Chunk& chunk = *found->second;
    std::list<Chunk>& chunks = chunks_[size_class(chunk.block).index];
    const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(block) - chunk.begin);
    chunk.free.push_back(static_cast<std::uint32_t>(offset / chunk.block));
    chunks.splice(chunks.begin(), chunks, chunk.in_class);
    statistics_.in_use -= chunk.block;
    statistics_.cached += chunk.block;
    if (--chunk.in_use == 0) {
      idle_.splice(idle_.end(), busy_, chunk.in_idle_or_busy);
      shrink_to(max_bytes_);
    }
    return true;
  }

  /// Gives back to the system what no block in use needs: all idle chunks.
  void empty() {
    const std::lock_guard<std::mutex> lock(mutex_);
    shrink_to(0);
  }

  void set_max_bytes(std::size_t max_bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    max_bytes_ = max_bytes;
    shrink_to(max_bytes_);
  }

  MemoryCacheStatistics statistics() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return statistics_;
  }

  /// Held while the process forks, so that the child finds everything in order.
  std::mutex& mutex() { return mutex_; }

 private:
  /// Neighbouring blocks of one class.
  struct Chunk {
    std::byte* begin;
    std::size_t length;
    std::size_t block;  ///< bytes of each
    std::size_t capacity;
    std::size_t made = 0;             ///< blocks handed out at least once; the rest is untouched
    std::size_t in_use = 0;           ///< blocks handed out now
    std::vector<std::uint32_t> free;  ///< numbers of the blocks that came back
    std::list<Chunk>::iterator in_class;
    std::list<Chunk*>::iterator in_idle_or_busy;
    bool full() const { return in_use == capacity; }
  };

  static constexpr std::size_t kOwnMapping = std::size_t{4} << 20;
  static constexpr std::size_t kBlocksInChunk = 8;  // at least
  static constexpr std::size_t kLargerClasses = 2;  // that serve too: a quarter more at most

  static bool has_room(const std::list<Chunk>& chunks) {
    return !chunks.empty() && !chunks.front().full();
  }

  /// The chunks of the class, or of a somewhat larger one if only that has a block of its own idle.
  std::list<Chunk>& class_with_room(const SizeClass& size) {
    if (size.bytes >= kOwnMapping) {
      for (std::size_t index = size.index; index <= size.index + kLargerClasses; ++index) {
        if (has_room(chunks_[index])) {
          return chunks_[index];
        }
      }
    }
    return chunks_[size.index];
  }

  /// A new chunk at the front of its class; false if there is no memory.
  bool add_chunk(std::list<Chunk>& chunks, std::size_t block) {
    const bool alone = block >= kOwnMapping;
    const std::size_t length = alone ? block : round_up(kBlocksInChunk * block, kHugePage);
    shrink_to(max_bytes_ > length ? max_bytes_ - length : 0);
    std::byte* begin = map_pages(length);
    if (begin == nullptr) {
      shrink_to(0);
      begin = map_pages(length);
    }
    if (begin == nullptr) {
      return false;
    }
    const std::size_t capacity = alone ? 1 : length / block;
    chunks.push_front({begin, length, block, capacity, 0, 0, {}, {}, {}});
    Chunk& chunk = chunks.front();
    chunk.free.reserve(capacity);  // so that release() needs no memory
    chunk.in_class = chunks.begin();
    chunk.in_idle_or_busy = idle_.insert(idle_.end(), &chunk);
    // Blocks alone begin where their chunk does.
    for (std::size_t at = 0; at < (alone ? kHugePage : length); at += kHugePage) {
      chunk_of_[reinterpret_cast<std::uintptr_t>(begin + at) / kHugePage] = &chunk;
    }
    statistics_.mapped += length;
    return true;
  }

  /// Gives idle chunks back until no more than `bytes` are mapped, or none is idle.
  void shrink_to(std::size_t bytes) noexcept {
    while (statistics_.mapped > bytes && !idle_.empty()) {
      Chunk& chunk = *idle_.front();
      idle_.pop_front();
      for (std::size_t at = 0; at < chunk.length; at += kHugePage) {
        chunk_of_.erase(reinterpret_cast<std::uintptr_t>(chunk.begin + at) / kHugePage);
      }
      statistics_.cached -= chunk.free.size() * chunk.block;
      statistics_.mapped -= chunk.length;
      unmap_pages(chunk.begin, chunk.length);
      chunks_[size_class(chunk.block).index].erase(chunk.in_class);
    }
  }

  mutable std::mutex mutex_;
  std::size_t max_bytes_;
  MemoryCacheStatistics statistics_;
  std::array<std::list<Chunk>, size_class(std::size_t{1} << 47).index + 1 + kLargerClasses> chunks_;
  std::list<Chunk*> idle_;  // longest first
  std::list<Chunk*> busy_;
  std::unordered_map<std::uintptr_t, Chunk*> chunk_of_;  // by number of the huge page
};

}  // namespace regtorch::kernels
