#include "block.hpp"
#include "messages.hpp"

namespace regtorch::simt {

Thread* Block::lane(const Thread& neighbour, int lane) const {
  const int number = neighbour.warp() * 32 + lane;
  return number < count_ ? &threads_[number] : nullptr;
}

void Block::fail_waiting(const Thread& waiting, const Thread& other) const {
  fail(waiting, joined("deadlock: ", waiting.doing(), ", which names lane ", other.lane(), ", but ",
                       other.name(), " ", other.doing()));
}

/// Throws where the call can't ever be answered.
void Block::check_call(const Thread& caller) const {
  const WarpCall& call = caller.call;
  if (!names(call, caller.lane())) {
    fail(caller, joined("calls ", described(call), ", which lacks its own lane ", caller.lane()));
  }
  for (int l = 0; l < 32; ++l) {
    const Thread* other = lane(caller, l);
    if (!names(call, l)) continue;
    if (other == nullptr) {
      fail(caller,
           joined("calls ", described(call), ", which names lane ", l, ", past the block's end"));
    }
    if (other->state == Thread::State::kEnded) fail_waiting(caller, *other);
    // Each of the two waits for the other, in different calls.
    if (other->state == Thread::State::kInWarpCall && names(other->call, caller.lane()) &&
        !same_call(call, other->call)) {
      fail_waiting(caller, *other);
    }
  }
}

/// Whether all whom the mask names are there.
bool Block::complete(const Thread& caller) const {
  for (int l = 0; l < 32; ++l) {
    if (!names(caller.call, l)) continue;
    const Thread& other = *lane(caller, l);
    if (other.state != Thread::State::kInWarpCall || !same_call(caller.call, other.call)) {
      return false;
    }
  }
  return true;
}

/// Gives every lane of the mask its result and lets it go on.
void Block::answer(const Thread& caller) {
  const WarpCall call = caller.call;
  std::uint64_t ballot = 0;
  for (int l = 0; l < 32; ++l) {
    if (names(call, l)) ballot |= (lane(caller, l)->value & 1u) << l;
  }
  for (int l = 0; l < 32; ++l) {
    if (!names(call, l)) continue;
    Thread& thread = *lane(caller, l);
    if (thread.source >= 0 && !names(call, thread.source)) {
      fail(thread, joined("reads lane ", thread.source, " in ", described(call),
                          ", which does not name it"));
    }
    thread.result = thread.source < 0 ? ballot : lane(caller, thread.source)->value;
    release(thread);
  }
}

std::uint64_t Block::warp_call(const WarpCall& call, std::uint64_t value, int source) {
  Thread& thread = running();
  thread.state = Thread::State::kInWarpCall;
  thread.call = call;
  thread.value = value;
  thread.source = source;
  check_call(thread);
  if (complete(thread)) answer(thread);
  wait(thread);
  return thread.result;
}

}  // namespace regtorch::simt
