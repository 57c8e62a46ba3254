#include "regtorch/kernels/memory_cache.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "catch.hpp"

namespace memory_cache_test {

namespace kernels = regtorch::kernels;
using kernels::kLeastBlock;
using kernels::MemoryCache;
using kernels::size_class;

namespace {

constexpr std::size_t kKiB = std::size_t{1} << 10;
constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();

/// A block with a pattern of its own in it, at both ends and eight times a page.
struct Filled {
  std::byte* data;
  std::size_t bytes;
  std::byte pattern;

  Filled(MemoryCache& cache, std::size_t size, unsigned number)
      : data(static_cast<std::byte*>(cache.allocate(size))),
        bytes(size),
        pattern(static_cast<std::byte>(number % 251)) {
    if (data == nullptr) {  // no REQUIRE, which only one thread may use
      throw std::bad_alloc();
    }
    for (std::size_t i = 0; i < bytes; i += 512) {
      data[i] = pattern;
    }
    data[bytes - 1] = pattern;
  }
  bool intact() const {
    bool intact = data[bytes - 1] == pattern;
    for (std::size_t i = 0; i < bytes; i += 512) {
      intact = intact && data[i] == pattern;
    }
    return intact;
  }
};

/// From 1 byte to 64 MiB, with all magnitudes alike.
std::size_t random_size(std::mt19937& random) {
  const auto bits = std::uniform_int_distribution<int>(0, 26)(random);
  return std::uniform_int_distribution<std::size_t>(1, std::size_t{1} << bits)(random);
}

}  // namespace

TEST_CASE("a size class is the least that holds the size, and an eighth larger at most",
          "[kernels]") {
  CHECK(size_class(1).bytes == kLeastBlock);
  CHECK(size_class(kLeastBlock).index == 0);
  std::size_t before = kLeastBlock;
  for (std::size_t index = 1; before < (std::size_t{1} << 40); ++index) {
    const auto size = size_class(before + 1);
    CHECK(size.index == index);  // none is left out
    CHECK(size.bytes % 4096 == 0);
    CHECK(size.bytes - (before + 1) < (before + 1) / 8);
    CHECK(size_class(size.bytes).index == index);
    CHECK(size_class(size.bytes).bytes == size.bytes);
    before = size.bytes;
  }
}

TEST_CASE("blocks in use are aligned and do not overlap, whatever comes and goes", "[kernels]") {
  std::mt19937 random(1);
  MemoryCache cache(kMiB * 200);
  std::vector<Filled> blocks;
  std::size_t in_use = 0;
  for (unsigned step = 0; step < 2000; ++step) {
    // Up to 300 MiB, so with more than the bound in use.
    if (in_use < 300 * kMiB && random() % 5 < 3) {
      blocks.emplace_back(cache, random_size(random), step);
      CHECK(reinterpret_cast<std::uintptr_t>(blocks.back().data) % 4096 == 0);
      in_use += size_class(blocks.back().bytes).bytes;
    } else if (!blocks.empty()) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      REQUIRE(blocks.back().intact());
      REQUIRE(cache.release(blocks.back().data));
      in_use -= size_class(blocks.back().bytes).bytes;
      blocks.pop_back();
    }
    const auto statistics = cache.statistics();
    // Blocks above 4 MiB may be a quarter larger than their class.
    REQUIRE(statistics.in_use >= in_use);
    REQUIRE(statistics.in_use <= in_use + in_use / 4);
    REQUIRE(statistics.in_use + statistics.cached <= statistics.mapped);
  }
  CHECK(cache.statistics().hits > 0);
  for (const Filled& block : blocks) {
    CHECK(block.intact());
    CHECK(cache.release(block.data));
  }
  // With nothing in use everything is idle, and the bound holds.
  CHECK(cache.statistics().in_use == 0);
  CHECK(cache.statistics().mapped <= 200 * kMiB);
  CHECK(cache.statistics().cached > 0);
  cache.empty();
  CHECK(cache.statistics().mapped == 0);
  CHECK(cache.statistics().cached == 0);
}

TEST_CASE("the block that came back last is handed out first", "[kernels]") {
  for (const std::size_t bytes : {kLeastBlock, 100 * kKiB, 3 * kMiB, 5 * kMiB}) {
    MemoryCache cache(kNoBound);
    void* first = cache.allocate(bytes);
    void* second = cache.allocate(bytes);
    CHECK(cache.statistics().misses == 2);
    cache.release(second);
    cache.release(first);
    CHECK(cache.statistics().cached == 2 * size_class(bytes).bytes);
    CHECK(cache.allocate(bytes) == first);
    CHECK(cache.allocate(bytes - 1) == second);  // of the same class
    CHECK(cache.statistics().hits == 2);
    CHECK(cache.allocate(2 * bytes) != nullptr);
    CHECK(cache.statistics().misses == 3);
  }
}

TEST_CASE("where none of a class is idle, a large block of the next two classes serves",
          "[kernels]") {
  MemoryCache cache(kNoBound);
  void* larger = cache.allocate(10 * kMiB);
  cache.release(larger);
  CHECK(cache.allocate(8 * kMiB) == larger);
  CHECK(cache.statistics().in_use == 10 * kMiB);
  void* own = cache.allocate(8 * kMiB);  // as the larger one is in use
  CHECK(cache.statistics().misses == 2);
  cache.release(larger);
  cache.release(own);
  CHECK(cache.statistics().cached == 18 * kMiB);
  CHECK(cache.allocate(8 * kMiB) == own);
  CHECK(cache.allocate(10 * kMiB) == larger);

  cache.release(cache.allocate(12 * kMiB));
  CHECK(cache.statistics().misses == 3);
  cache.allocate(8 * kMiB);  // three classes less
  CHECK(cache.statistics().misses == 4);
  cache.allocate(13 * kMiB);
  CHECK(cache.statistics().misses == 5);

  cache.release(cache.allocate(3 * kMiB));  // which is no mapping of its own
  cache.allocate(3 * kMiB - kMiB / 4);
  CHECK(cache.statistics().misses == 7);
}

TEST_CASE("what was idle for longest goes back first, as soon as the bound asks for it",
          "[kernels]") {
  MemoryCache cache(24 * kMiB);
  void* oldest = cache.allocate(8 * kMiB);
  void* middle = cache.allocate(9 * kMiB);
  cache.release(oldest);
  cache.release(middle);
  CHECK(cache.statistics().cached == 17 * kMiB);
  void* large = cache.allocate(10 * kMiB);  // 27 MiB with both, 19 with the middle one
  CHECK(cache.statistics().cached == 9 * kMiB);
  CHECK(cache.statistics().mapped == 19 * kMiB);
  CHECK(cache.allocate(9 * kMiB) == middle);
  // In use there may be more than the bound; nothing is kept then.
  void* larger = cache.allocate(40 * kMiB);
  CHECK(cache.statistics().in_use == 59 * kMiB);
  cache.release(large);
  CHECK(cache.statistics().cached == 0);
  cache.release(larger);
  CHECK(cache.statistics().mapped == 9 * kMiB);
  cache.release(middle);
  CHECK(cache.statistics().cached == 9 * kMiB);
  cache.set_max_bytes(0);
  CHECK(cache.statistics().mapped == 0);
  cache.release(cache.allocate(kLeastBlock));
  CHECK(cache.statistics().mapped == 0);
}

TEST_CASE("small blocks go back with their chunk, once none of it is in use", "[kernels]") {
  MemoryCache cache(kNoBound);
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) {  // 64 fit in a chunk of 2 MiB
    blocks.push_back(cache.allocate(kLeastBlock));
  }
  CHECK(cache.statistics().mapped == 4 * kMiB);
  for (int i = 99; i > 0; --i) {
    cache.release(blocks[static_cast<std::size_t>(i)]);
  }
  cache.empty();
  CHECK(cache.statistics().mapped == 2 * kMiB);
  CHECK(cache.statistics().in_use == kLeastBlock);
  CHECK(cache.statistics().cached == 63 * kLeastBlock);
  cache.release(blocks[0]);
  cache.empty();
  CHECK(cache.statistics().mapped == 0);
}

TEST_CASE("memory of others is not taken", "[kernels]") {
  MemoryCache cache(kNoBound);
  MemoryCache other(kNoBound);
  void* ours = cache.allocate(5 * kMiB);
  void* theirs = other.allocate(5 * kMiB);
  alignas(4096) static std::byte page[4096];
  CHECK(!cache.release(nullptr));
  CHECK(!cache.release(theirs));
  CHECK(!cache.release(page));
  CHECK(!cache.release(page + 64));
  CHECK(cache.statistics().in_use == 5 * kMiB);
  CHECK(cache.release(ours));
}

TEST_CASE("more than there is gives nullptr, and gives back what was kept", "[kernels]") {
  MemoryCache cache(kNoBound);
  cache.release(cache.allocate(8 * kMiB));
  CHECK(cache.allocate(kNoBound) == nullptr);
  CHECK(cache.statistics().cached == 8 * kMiB);  // that could not have helped
  CHECK(cache.allocate(std::size_t{1} << 47) == nullptr);
  CHECK(cache.statistics().mapped == 0);
  CHECK(cache.allocate(8 * kMiB) != nullptr);
}

TEST_CASE("threads release each other's blocks", "[kernels]") {
  MemoryCache cache(64 * kMiB);
  std::mutex mutex;
  std::vector<Filled> shared;
  std::atomic<bool> intact = true;
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      std::mt19937 random(number);
      for (unsigned step = 0; step < 300; ++step) {
        const Filled made(cache, std::min(random_size(random), 8 * kMiB), number * 300 + step);
        Filled taken = made;
        {
          const std::lock_guard<std::mutex> lock(mutex);
          shared.push_back(made);
          if (shared.size() < 8) {
            continue;
          }
          std::swap(shared[random() % shared.size()], shared.back());
          taken = shared.back();
          shared.pop_back();
        }
        intact = intact && taken.intact() && cache.release(taken.data);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(intact);
  std::size_t in_use = 0;
  for (const Filled& block : shared) {
    CHECK(block.intact());
    in_use += size_class(block.bytes).bytes;
  }
  CHECK(cache.statistics().in_use == in_use);
  CHECK(cache.statistics().hits + cache.statistics().misses == 1200);
  for (const Filled& block : shared) {
    cache.release(block.data);
  }
  CHECK(cache.statistics().in_use == 0);
  CHECK(cache.statistics().mapped <= 64 * kMiB);
}

}  // namespace memory_cache_test
