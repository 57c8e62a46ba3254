#include "block.hpp"

#include "messages.hpp"
#include "shared_memory.hpp"
#include "simt/coordinates.hpp"
#include "simt/error.hpp"

namespace regtorch::simt {
namespace {

struct Abandoned {};  // unwinds a thread of a block that failed

Block* current_block = nullptr;  // launches run one at a time

}  // namespace

Block& Block::current() {
  if (current_block == nullptr) throw Error("a device function was called outside a launch");
  return *current_block;
}

Block::Block(dim3 size, const std::function<void()>& kernel, Random& random)
    : kernel_(kernel),
      random_(random),
      ready_(random),
      count_(static_cast<int>(size.x * size.y * size.z)),
      threads_(new Thread[static_cast<std::size_t>(count_)]) {
  int number = 0;
  for (unsigned z = 0; z < size.z; ++z) {
    for (unsigned y = 0; y < size.y; ++y) {
      for (unsigned x = 0; x < size.x; ++x) {
        Thread& thread = threads_[number];
        thread.block = this;
        thread.number = number++;
        thread.index = {x, y, z};
      }
    }
  }
}

void Block::begin(uint3 block_index) {
  index_ = block_index;
  ended_ = at_barrier_ = predicates_ = 0;
  an_ended_ = a_waiting_ = nullptr;
  failure_ = nullptr;
  abandoning_ = false;
  // All ones is a NaN, and -1; the other is a number, larger than most. A maximum overlooks one
  // and a minimum the other.
  fill_shared_memory(random_.below(2) != 0 ? 0xFF : 0x7F);
  ready_.reset(count_);
  for (int i = 0; i < count_; ++i) {
    threads_[i].state = Thread::State::kReady;
    threads_[i].fiber.prepare(&Block::thread_main, &threads_[i]);
    ready_.push(i);
  }
}

void Block::run(uint3 block_index) {
  current_block = this;
  begin(block_index);
  coordinates.block = block_index;
  while (!ready_.empty() && !failure_) {
    running_ = &threads_[ready_.pop()];
    coordinates.thread = running_->index;
    running_->fiber.resume();
  }
  if (!failure_ && ended_ < count_) {
    try {
      fail_deadlocked();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  if (failure_) abandon();
  current_block = nullptr;
  if (failure_) std::rethrow_exception(failure_);
}

void Block::thread_main(void* argument) {
  auto& thread = *static_cast<Thread*>(argument);
  Block& block = *thread.block;
  try {
    block.kernel_();
    block.ended(thread);
  } catch (const Abandoned&) {
  } catch (...) {
    if (!block.failure_) block.failure_ = std::current_exception();
  }
}

// Threads that stopped in the middle are made to leave by an exception, so that whatever they hold
// is freed.
void Block::abandon() {
  abandoning_ = true;
  for (int i = 0; i < count_; ++i) {
    running_ = &threads_[i];
    if (running_->fiber.stopped()) running_->fiber.resume();
  }
}

void Block::wait(Thread& thread) {
  thread.fiber.stop();
  if (abandoning_) throw Abandoned{};
}

void Block::release(Thread& thread) {
  thread.state = Thread::State::kReady;
  ready_.push(thread.number);
}

void Block::maybe_preempt() {
  if (!ready_.preempts()) return;
  Thread& thread = running();
  ready_.push_last(thread.number);
  wait(thread);
}

void Block::fail(const Thread& thread, const std::string& what) const {
  throw Error(joined("block ", triple(index_), ", ", thread.name(), ": ", what));
}

}  // namespace regtorch::simt
