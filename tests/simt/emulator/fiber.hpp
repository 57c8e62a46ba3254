#pragma once

#include <cstddef>

#if !defined(__x86_64__) && !defined(REGTORCH_SIMT_UCONTEXT)
#define REGTORCH_SIMT_UCONTEXT
#endif

#if defined(REGTORCH_SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace regtorch::simt {

#if defined(REGTORCH_SIMT_UCONTEXT)
using Context = ucontext_t;
#else
using Context = void*;  // the stack pointer: all else lies on the stack
#endif

/// A function with a stack of its own, that can stop in its middle and go on later. Belongs to one
/// thread of the operating system; there is one level of them: a fiber resumes no other.
class Fiber {
 public:
  using Body = void (*)(void* argument);

  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes `body(argument)` what the next resume begins. The one before must have ended.
  void prepare(Body body, void* argument);

  /// Runs the fiber until it stops or ends. `body` must let no exception out.
  void resume();

  /// Called in the fiber: goes back to the one who resumed it, until the next resume.
  void stop();

  /// Whether it has begun and not ended.
  bool stopped() const { return begun_ && !ended_; }

 private:
  static void enter();
  void leave(bool for_good);
  void arrived();

  Body body_ = nullptr;
  void* argument_ = nullptr;
  bool begun_ = false;
  bool ended_ = true;
  std::byte* stack_ = nullptr;
  Context own_{};
  Context resumer_{};
  // For AddressSanitizer, which wants to know on which stack it is.
  void* own_fake_stack_ = nullptr;
  const void* resumer_stack_ = nullptr;
  std::size_t resumer_stack_size_ = 0;
};

}  // namespace regtorch::simt
