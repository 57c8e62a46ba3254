#include "fiber.hpp"

#include "sanitizer.hpp"
#include "stack_pool.hpp"

#if defined(REGTORCH_SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace regtorch::simt {
namespace {

Fiber* entering = nullptr;  // how a new fiber learns which it is

void start_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* stack,
                  [[maybe_unused]] std::size_t size) {
#if defined(REGTORCH_SIMT_ASAN)
  __sanitizer_start_switch_fiber(fake_stack, stack, size);
#endif
}

void finish_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** stack,
                   [[maybe_unused]] std::size_t* size) {
#if defined(REGTORCH_SIMT_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, stack, size);
#endif
}

#if defined(REGTORCH_SIMT_UCONTEXT)

void switch_context(Context& from, Context& to) { swapcontext(&from, &to); }

void make_context(Context& context, std::byte* stack, void (*function)()) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = kStackSize;
  context.uc_link = nullptr;
  makecontext(&context, function, 0);
}

#else

// Pushes what a call must keep, saves the stack pointer at *rdi, takes rsi's and pops. The modes of
// floating-point arithmetic are left alone: kernels change none.
asm(R"(
.text
.type regtorch_simt_switch, @function
regtorch_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size regtorch_simt_switch, .-regtorch_simt_switch
)");
extern "C" void regtorch_simt_switch(void** from, void* to) asm("regtorch_simt_switch");

void switch_context(Context& from, Context& to) { regtorch_simt_switch(&from, to); }

void make_context(Context& context, std::byte* stack, void (*function)()) {
  auto* top = reinterpret_cast<void**>(stack + kStackSize);
  *--top = nullptr;  // the return address of `function`, which never returns
  *--top = reinterpret_cast<void*>(function);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  context = top;
}

#endif

}  // namespace

Fiber::~Fiber() {
  if (stack_ != nullptr) give_stack_back(stack_);
}

void Fiber::prepare(Body body, void* argument) {
  if (stack_ == nullptr) stack_ = take_stack();
#if defined(REGTORCH_SIMT_ASAN)
  // The outermost frames of the body before never returned, so their marks are still there.
  __asan_unpoison_memory_region(stack_ + kStackSize - 4096, 4096);
#endif
  body_ = body;
  argument_ = argument;
  begun_ = false;
  ended_ = false;
  make_context(own_, stack_, &Fiber::enter);
}

void Fiber::resume() {
  entering = this;
  begun_ = true;
  void* fake_stack = nullptr;
  start_switch(&fake_stack, stack_, kStackSize);
  switch_context(resumer_, own_);
  finish_switch(fake_stack, nullptr, nullptr);
}

void Fiber::enter() {
  Fiber* self = entering;
  self->arrived();
  self->body_(self->argument_);
  self->ended_ = true;
  self->leave(/*for_good=*/true);
}

void Fiber::stop() {
  leave(/*for_good=*/false);
  arrived();
}

void Fiber::leave(bool for_good) {
  start_switch(for_good ? nullptr : &own_fake_stack_, resumer_stack_, resumer_stack_size_);
  switch_context(own_, resumer_);
}

void Fiber::arrived() {
  finish_switch(own_fake_stack_, &resumer_stack_, &resumer_stack_size_);
  own_fake_stack_ = nullptr;
}

}  // namespace regtorch::simt
