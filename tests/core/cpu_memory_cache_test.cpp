#include "regtorch/core/cpu_memory_cache.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <c10/util/ThreadLocalDebugInfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"

namespace cpu_memory_cache_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

torch::Tensor bytes(std::int64_t size) { return torch::empty({size}, torch::kByte); }

/// The cache for the rest of a scope, empty; other tests go on with LibTorch's own allocator.
class Cache {
 public:
  explicit Cache(const rt::CpuMemoryCacheOptions& options = {}) {
    rt::use_cpu_memory_cache(options);
    rt::empty_cpu_memory_cache();
  }
  ~Cache() { c10::SetCPUAllocator(c10::GetDefaultCPUAllocator()); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
};

/// A step of training on memory that is full of nan, if it comes from the cache.
std::vector<torch::Tensor> trained() {
  for (int i = 0; i < 3; ++i) {
    std::vector<torch::Tensor> dirty;
    for (const std::int64_t size : {8, 16, 32, 64, 128, 256, 512}) {
      dirty.push_back(torch::full({4, size * 1024}, std::numeric_limits<float>::quiet_NaN()));
    }
  }
  torch::manual_seed(1);
  torch::nn::Sequential model(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 32, 3).padding(1)),
                              torch::nn::BatchNorm2d(32), torch::nn::ReLU(),
                              torch::nn::MaxPool2d(2), torch::nn::Flatten(),
                              torch::nn::Linear(32 * 16 * 16, 10));
  torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(1e-3));
  for (int step = 0; step < 2; ++step) {
    optimizer.zero_grad();
    model->forward(torch::randn({8, 3, 32, 32})).square().mean().backward();
    optimizer.step();
  }
  return model->parameters();
}

torch::Tensor freed_after_everything_else;

}  // namespace

TEST_CASE("freed tensors' memory is used for the next ones", "[core]") {
  const Cache cache;
  for (const std::int64_t size : {kMiB / 32, kMiB, 5 * kMiB, 64 * kMiB}) {
    const auto before = rt::cpu_memory_cache_statistics();
    torch::Tensor first = bytes(size).fill_(7);
    const void* data = first.data_ptr();
    CHECK(rt::cpu_memory_cache_statistics().misses == before.misses + 1);
    CHECK(rt::cpu_memory_cache_statistics().in_use ==
          before.in_use + static_cast<std::size_t>(size));
    first.reset();
    CHECK(rt::cpu_memory_cache_statistics().in_use == before.in_use);
    CHECK(bytes(size).data_ptr() == data);
    CHECK(rt::cpu_memory_cache_statistics().hits == before.hits + 1);
  }
  CHECK(rt::cpu_memory_cache_statistics().cached >= static_cast<std::size_t>(69 * kMiB));
  rt::empty_cpu_memory_cache();
  CHECK(rt::cpu_memory_cache_statistics().cached < static_cast<std::size_t>(64 * kMiB));
}

TEST_CASE("tensors of every size are aligned and hold what is written", "[core]") {
  const Cache cache;
  CHECK(bytes(0).numel() == 0);
  for (const std::int64_t size : {std::int64_t{1}, kMiB / 32 - 1, kMiB / 32, kMiB, 40 * kMiB + 1}) {
    const auto before = rt::cpu_memory_cache_statistics();
    const torch::Tensor tensor = bytes(size).fill_(3);
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0);
    CHECK((tensor == 3).all().item<bool>());
    // Small ones are malloc's.
    CHECK((rt::cpu_memory_cache_statistics().in_use > before.in_use) == (size >= kMiB / 32));
  }
  const torch::Tensor tensor = torch::arange(kMiB);
  const auto copy = c10::GetCPUAllocator()->clone(tensor.data_ptr(), tensor.nbytes());
  CHECK(std::memcmp(copy.get(), tensor.data_ptr(), tensor.nbytes()) == 0);
}

TEST_CASE("memory from before the cache goes back to where it came from", "[core]") {
  torch::Tensor before = torch::arange(kMiB);
  // As oneDNN holds it: freed through whatever allocator there is by then.
  void* raw = c10::GetCPUAllocator()->raw_allocate(static_cast<std::size_t>(kMiB));
  const Cache cache;
  const auto statistics = rt::cpu_memory_cache_statistics();
  CHECK(before[kMiB - 1].item<std::int64_t>() == kMiB - 1);
  before.reset();
  c10::GetCPUAllocator()->raw_deallocate(raw);
  raw = c10::GetCPUAllocator()->raw_allocate(static_cast<std::size_t>(kMiB));
  CHECK(rt::cpu_memory_cache_statistics().in_use > statistics.in_use);
  c10::GetCPUAllocator()->raw_deallocate(raw);
  CHECK(rt::cpu_memory_cache_statistics().in_use == statistics.in_use);
}

TEST_CASE("training gives the same with the cache as without", "[core]") {
  const auto plain = trained();
  const Cache cache;
  const auto cached = trained();
  REQUIRE(plain.size() == cached.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CHECK(plain[i].equal(cached[i]));
  }
  CHECK(rt::cpu_memory_cache_statistics().hits > 0);
}

TEST_CASE("a second call sets the bound anew, and another's allocator stays", "[core]") {
  struct Other final : c10::Allocator {
    c10::DataPtr allocate(std::size_t) override { return {}; }
    void copy_data(void*, const void*, std::size_t) const override {}
  };
  {
    const Cache cache;
    const c10::Allocator* allocator = c10::GetCPUAllocator();
    bytes(8 * kMiB);
    CHECK(rt::cpu_memory_cache_statistics().cached >= static_cast<std::size_t>(8 * kMiB));
    rt::use_cpu_memory_cache();
    CHECK(rt::cpu_memory_cache_statistics().cached >= static_cast<std::size_t>(8 * kMiB));
    CHECK(c10::GetCPUAllocator() == allocator);
    rt::use_cpu_memory_cache(rt::CpuMemoryCacheOptions().max_bytes(0));
    CHECK(rt::cpu_memory_cache_statistics().cached < static_cast<std::size_t>(8 * kMiB));
  }
  CHECK(contains(
      error_of([] { rt::use_cpu_memory_cache(rt::CpuMemoryCacheOptions().max_bytes(-1)); }),
      "wanted max_bytes of at least 0, got -1"));
  Other other;
  c10::SetCPUAllocator(&other);
  const auto error = error_of([] { rt::use_cpu_memory_cache(); });
  CHECK(c10::GetCPUAllocator() == &other);
  c10::SetCPUAllocator(c10::GetDefaultCPUAllocator());
  CHECK(contains(error, "wanted LibTorch's own CPU allocator to replace"));
}

TEST_CASE("where memory runs out, the error is LibTorch's", "[core]") {
  const Cache cache;
  CHECK(contains(error_of([] { torch::empty({std::int64_t{1} << 46}, torch::kFloat); }),
                 "DefaultCPUAllocator: can't allocate memory: you tried to allocate "
                 "281474976710656 bytes. Error code 12 (Cannot allocate memory)"));
  CHECK(bytes(kMiB).fill_(1).sum().item<std::int64_t>() == kMiB);
}

TEST_CASE("LibTorch's memory profiler sees tensors come and go", "[core]") {
  struct Profiler final : c10::MemoryReportingInfoBase {
    std::vector<std::int64_t> sizes;
    void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t,
                           c10::Device) override {
      sizes.push_back(size);
    }
    bool memoryProfilingEnabled() const override { return true; }
  };
  const Cache cache;
  auto profiler = std::make_shared<Profiler>();
  {
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, profiler);
    bytes(5 * kMiB + 1);
    bytes(100);
  }
  CHECK(profiler->sizes == std::vector<std::int64_t>{5 * kMiB + 1, -(5 * kMiB + 1), 100, -100});
}

TEST_CASE("a child process goes on with the cache while other threads use it", "[core]") {
  const Cache cache;
  const torch::Tensor shared = bytes(kMiB).fill_(1);
  std::atomic<bool> done = false;
  std::thread busy([&] {
    while (!done) {
      bytes(kMiB);
    }
  });
  for (int i = 0; i < 20; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      bytes(kMiB);
      bytes(8 * kMiB);
      ::_exit(shared.const_data_ptr<std::uint8_t>()[kMiB - 1] == 1 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  done = true;
  busy.join();
}

TEST_CASE("a tensor may outlive everything", "[core]") {
  const Cache cache;
  freed_after_everything_else = bytes(5 * kMiB);
  CHECK(freed_after_everything_else.defined());
}

}  // namespace cpu_memory_cache_test
