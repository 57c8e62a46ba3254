#include "regtorch/core/parallel_for.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "threads.hpp"

namespace parallel_for_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::Threads;

TEST_CASE("parallel_for covers the range in the same blocks for any number of threads", "[core]") {
  for (const std::int64_t size : {0, 1, 15, 16, 17, 1000}) {
    for (const int threads : {1, 2}) {
      const Threads guard(threads);
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(size));
      std::atomic<bool> aligned = true;
      rt::parallel_for(size, 16, [&](std::int64_t begin, std::int64_t end) {
        aligned = aligned && begin % 16 == 0 && (end == begin + 16 || end == size);
        for (std::int64_t i = begin; i < end; ++i) {
          ++visits[static_cast<std::size_t>(i)];
        }
      });
      CHECK(aligned);
      for (const auto& count : visits) {
        REQUIRE(count == 1);
      }
    }
  }
}

TEST_CASE("parallel_for uses two threads where there are two blocks", "[core]") {
  const Threads guard(2);
  // Each block waits until the other has begun, which only two threads can bring about.
  std::atomic<int> begun = 0;
  std::atomic<bool> met = true;
  rt::parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
    ++begun;
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (begun < 2 && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::yield();
    }
    met = met && begun == 2;
  });
  CHECK(met);
}

TEST_CASE("one block runs on the calling thread", "[core]") {
  const Threads guard(2);
  std::thread::id ran_on;
  rt::parallel_for(10, 16,
                   [&](std::int64_t, std::int64_t) { ran_on = std::this_thread::get_id(); });
  CHECK(ran_on == std::this_thread::get_id());
}

TEST_CASE("an exception in a block reaches the caller", "[core]") {
  for (const int threads : {1, 2}) {
    const Threads guard(threads);
    const auto message = error_of([] {
      rt::parallel_for(100, 1, [](std::int64_t begin, std::int64_t) {
        if (begin == 77) {
          throw std::runtime_error("block 77");
        }
      });
    });
    CHECK(contains(message, "block 77"));
  }
}

}  // namespace parallel_for_test
