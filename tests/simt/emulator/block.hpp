#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "ready_queue.hpp"
#include "simt/random.hpp"
#include "simt/vector_types.hpp"
#include "thread.hpp"

namespace regtorch::simt {

/// Runs blocks of one launch, one after the other, each thread of a block as a fiber that runs
/// until it waits.
class Block {
 public:
  Block(dim3 size, const std::function<void()>& kernel, Random& random);

  /// Runs every thread of the block to its end; throws what one of them throws.
  void run(uint3 block_index);

  // What a running thread calls.
  static Block& current();
  Thread& running() { return *running_; }
  int barrier(const char* name, bool predicate, const Location& where);
  std::uint64_t warp_call(const WarpCall& call, std::uint64_t value, int source);
  void maybe_preempt();
  [[noreturn]] void fail(const Thread& thread, const std::string& what) const;

 private:
  static void thread_main(void* thread);
  void begin(uint3 block_index);
  void ended(Thread& thread);
  void wait(Thread& thread);
  void release(Thread& thread);
  void open_barrier();
  void check_call(const Thread& caller) const;
  bool complete(const Thread& caller) const;
  void answer(const Thread& caller);
  void abandon();
  [[noreturn]] void fail_divergent(const Thread& thread, const Thread& other) const;
  [[noreturn]] void fail_waiting(const Thread& waiting, const Thread& other) const;
  [[noreturn]] void fail_deadlocked() const;
  Thread* lane(const Thread& neighbour, int lane) const;  // null past the block's end

  const std::function<void()>& kernel_;
  Random& random_;
  ReadyQueue ready_;
  int count_;
  std::unique_ptr<Thread[]> threads_;
  uint3 index_{};
  Thread* running_ = nullptr;
  int ended_ = 0;
  const Thread* an_ended_ = nullptr;  // any of them, for messages
  int at_barrier_ = 0;
  const Thread* a_waiting_ = nullptr;  // any of those at the barrier
  int predicates_ = 0;
  bool abandoning_ = false;
  std::exception_ptr failure_;
};

}  // namespace regtorch::simt
