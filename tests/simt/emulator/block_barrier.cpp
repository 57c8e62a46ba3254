#include <string_view>

#include "block.hpp"
#include "messages.hpp"

namespace regtorch::simt {
namespace {

bool same_place(const Location& a, const Location& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::string_view(a.file_name()) == b.file_name();
}

}  // namespace

int Block::barrier(const char* name, bool predicate, const Location& where) {
  Thread& thread = running();
  thread.state = Thread::State::kAtBarrier;
  thread.call = {name, 0, 0, where};
  if (a_waiting_ != nullptr && !same_place(a_waiting_->call.where, where)) {
    fail_divergent(thread, *a_waiting_);
  }
  if (an_ended_ != nullptr) fail_divergent(thread, *an_ended_);
  a_waiting_ = &thread;
  ++at_barrier_;
  predicates_ += predicate ? 1 : 0;
  if (at_barrier_ == count_) open_barrier();
  wait(thread);
  return static_cast<int>(thread.result);
}

void Block::open_barrier() {
  ready_.draw_order();
  for (int i = 0; i < count_; ++i) {
    threads_[i].result = static_cast<std::uint64_t>(predicates_);
    release(threads_[i]);
  }
  at_barrier_ = predicates_ = 0;
  a_waiting_ = nullptr;
}

void Block::fail_divergent(const Thread& thread, const Thread& other) const {
  fail(thread,
       joined("divergent barrier: ", thread.doing(), ", but ", other.name(), " ", other.doing()));
}

// Nobody whom others wait for may end.
void Block::ended(Thread& thread) {
  thread.state = Thread::State::kEnded;
  an_ended_ = &thread;
  ++ended_;
  if (a_waiting_ != nullptr) fail_divergent(*a_waiting_, thread);
  for (int l = 0; l < 32; ++l) {
    const Thread* other = lane(thread, l);
    if (other != nullptr && other->state == Thread::State::kInWarpCall &&
        names(other->call, thread.lane())) {
      fail_waiting(*other, thread);
    }
  }
}

// Every thread that is left waits. If all waited at the barrier it would open, so one is in a warp
// call, and one of the lanes that its mask names is not.
void Block::fail_deadlocked() const {
  for (int i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state != Thread::State::kInWarpCall) continue;
    for (int l = 0; l < 32; ++l) {
      if (!names(thread.call, l)) continue;
      const Thread& other = *lane(thread, l);
      const bool there = other.state == Thread::State::kInWarpCall;
      if (!there || !same_call(thread.call, other.call)) fail_waiting(thread, other);
    }
  }
  fail(threads_[0], joined("deadlock: ", threads_[0].doing()));
}

}  // namespace regtorch::simt
