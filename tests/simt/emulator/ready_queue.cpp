#include "ready_queue.hpp"

#include <algorithm>

namespace regtorch::simt {

void ReadyQueue::reset(int threads) {
  heap_.clear();
  drawn_.resize(static_cast<std::size_t>(threads));
  draw_order();
}

void ReadyQueue::draw_order() {
  order_ = static_cast<Order>(random_.below(static_cast<std::uint64_t>(Order::kCount)));
  preemption_ = random_.below(4) == 0 ? 8 : 256;
  for (auto& number : drawn_) number = static_cast<std::uint32_t>(random_() >> 33);
}

std::uint64_t ReadyQueue::precedence(int thread) {
  const auto number = static_cast<std::size_t>(thread);
  switch (order_) {
    case Order::kWarps:
      return (std::uint64_t{drawn_[number / 32 * 32]} << 32) | (random_() >> 32);
    case Order::kFixed:
      return drawn_[number];
    case Order::kForward:
      return number;
    case Order::kBackward:
      return drawn_.size() - number;
    default:
      return random_() >> 1;
  }
}

void ReadyQueue::push(int thread) { push({precedence(thread), thread}); }

void ReadyQueue::push_last(int thread) { push({(std::uint64_t{1} << 63) + put_last_++, thread}); }

void ReadyQueue::push(Entry entry) {
  heap_.push_back(entry);
  std::push_heap(heap_.begin(), heap_.end());
}

int ReadyQueue::pop() {
  std::pop_heap(heap_.begin(), heap_.end());
  const int thread = heap_.back().thread;
  heap_.pop_back();
  return thread;
}

}  // namespace regtorch::simt
