#pragma once

#include <cstdint>
#include <vector>

#include "simt/random.hpp"

namespace regtorch::simt {

/// Which of the threads that can go on does so next. The real order is nobody's to know, so several
/// kinds of it take turns, as each shows other mistakes: threads at random; warps one after the
/// other, each as far as it gets alone, which shows a missing barrier between warps; a fixed order
/// of precedence, in which the same thread always comes last; and both orders of the numbers.
class ReadyQueue {
 public:
  explicit ReadyQueue(Random& random) : random_(random) {}

  /// Empties it and draws an order for a block with this many threads.
  void reset(int threads);
  /// Draws another kind of order, for the threads that are pushed from now on.
  void draw_order();
  /// Draws whether a thread that could go on should let others run. Mostly it is rare, so that it
  /// does not hold up every warp that wants to get ahead; never is too rare for a lock.
  bool preempts() { return random_.below(preemption_) == 0; }

  void push(int thread);
  /// Behind all that are there; those that come this way are first in, first out, so that a thread
  /// that asks again and again for what another holds does not keep that one from running.
  void push_last(int thread);
  bool empty() const { return heap_.empty(); }
  int pop();

 private:
  struct Entry {
    std::uint64_t precedence;
    int thread;
    bool operator<(const Entry& other) const { return precedence > other.precedence; }
  };
  enum class Order { kRandom, kWarps, kFixed, kForward, kBackward, kCount };

  void push(Entry entry);
  std::uint64_t precedence(int thread);

  Random& random_;
  Order order_ = Order::kRandom;
  std::uint64_t preemption_ = 8;      // once in so many times
  std::vector<std::uint32_t> drawn_;  // for each thread; a warp takes that of its first
  std::vector<Entry> heap_;
  std::uint64_t put_last_ = 0;
};

}  // namespace regtorch::simt
