#include "simt/device_calls.hpp"

#include <bit>
#include <string>

#include "block.hpp"
#include "messages.hpp"

namespace regtorch::simt {

int block_barrier(const char* name, bool predicate, const Location& where) {
  return Block::current().barrier(name, predicate, where);
}

std::uint64_t exchange(const WarpCall& call, std::uint64_t value, int source) {
  return Block::current().warp_call(call, value, source);
}

unsigned vote(const WarpCall& call, bool predicate) {
  return static_cast<unsigned>(Block::current().warp_call(call, predicate ? 1 : 0, -1));
}

int lane() { return Block::current().running().lane(); }

void trap() { Block::current().fail(Block::current().running(), "called __trap"); }

void maybe_preempt() { Block::current().maybe_preempt(); }

int source_lane(const WarpCall& call, Shuffle kind, int parameter, int width) {
  Block& block = Block::current();
  const int own = block.running().lane();
  if (width < 1 || width > 32 || !std::has_single_bit(static_cast<unsigned>(width))) {
    block.fail(block.running(), joined("calls ", described(call), " and width ", width,
                                       ", not a power of two up to 32"));
  }
  const int begin = own & ~(width - 1);  // of the group of `width` lanes
  const int end = begin + width;
  switch (kind) {
    case Shuffle::kIndex:
      return begin + (parameter & (width - 1));
    case Shuffle::kUp: {
      // The instruction looks at the lowest 5 bits.
      const int source = own - (parameter & 31);
      return source < begin ? own : source;
    }
    case Shuffle::kDown: {
      const int source = own + (parameter & 31);
      return source >= end ? own : source;
    }
    case Shuffle::kXor:
      break;
  }
  // Reading an earlier group is allowed, a later one is not.
  const int source = own ^ (parameter & 31);
  return source >= end ? own : source;
}

}  // namespace regtorch::simt
