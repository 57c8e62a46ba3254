#include "stack_pool.hpp"

#include <new>
#include <vector>

#include <sys/mman.h>

namespace regtorch::simt {
namespace {

constexpr std::size_t kGuard = 4096;

/// Launches run one at a time, so it needs no lock.
class Pool {
 public:
  ~Pool() {
    for (std::byte* stack : free_) munmap(stack - kGuard, kGuard + kStackSize);
  }

  std::byte* take() {
    if (!free_.empty()) {
      std::byte* stack = free_.back();
      free_.pop_back();
      return stack;
    }
    void* memory = mmap(nullptr, kGuard + kStackSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, kGuard, PROT_NONE);
    return static_cast<std::byte*>(memory) + kGuard;
  }

  void give_back(std::byte* stack) { free_.push_back(stack); }

 private:
  std::vector<std::byte*> free_;
};

Pool& pool() {
  static Pool only;
  return only;
}

}  // namespace

std::byte* take_stack() { return pool().take(); }

void give_stack_back(std::byte* stack) { pool().give_back(stack); }

}  // namespace regtorch::simt
