#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

/// One program, several instruction sets: hot loops are compiled once for each level below and the
/// best that the machine has is picked once at run time, whatever flags the program is built with.
///
/// g++ and clang inline a plain function into one with more instructions allowed, never the other
/// way round. So a kernel is a callable whose operator() is REGTORCH_INLINE, and `run_on` calls it
/// from a function that carries the target attribute: everything inlined there is vectorised for
/// that level. Intrinsics need the attribute on the very function that uses them.
#define REGTORCH_INLINE inline __attribute__((always_inline))
#define REGTORCH_INLINE_LAMBDA __attribute__((always_inline))

/// Before a loop: no round writes what another one reads. g++ at -O2 vectorises no loop for which
/// it would have to test that at run time; clang tests.
#if defined(__clang__)
#define REGTORCH_INDEPENDENT
#else
#define REGTORCH_INDEPENDENT _Pragma("GCC ivdep")
#endif

#if defined(__x86_64__)
#define REGTORCH_X86_64 1
/// Haswell and later, by feature name: clang's __builtin_cpu_supports knows no "x86-64-v3".
#define REGTORCH_TARGET_V3 __attribute__((target("avx2,bmi,bmi2,fma,popcnt")))
#if defined(__clang__)
/// Whole registers without being asked; with a word more that it does not know it ignores all.
#define REGTORCH_TARGET_V4 \
  __attribute__((target("avx2,bmi,bmi2,fma,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")))
#else
#define REGTORCH_TARGET_V4                                         \
  __attribute__((                                                  \
      target("avx2,bmi,bmi2,fma,popcnt,avx512f,avx512bw,avx512cd," \
             "avx512dq,avx512vl,prefer-vector-width=512")))
#endif
#endif

namespace regtorch::kernels {

/// The instruction sets that kernels are compiled for, each containing those before it.
enum class Isa { kBaseline, kV3, kV4 };

/// "baseline", "x86-64-v3" or "x86-64-v4".
constexpr const char* to_string(Isa isa) {
  switch (isa) {
    case Isa::kV4:
      return "x86-64-v4";
    case Isa::kV3:
      return "x86-64-v3";
    case Isa::kBaseline:
      break;
  }
  return "baseline";
}

/// The best instruction set that this machine can run.
inline Isa best_isa() {
#if defined(REGTORCH_X86_64)
  // Every feature that the targets above allow the compiler to use; a virtual machine may lack any.
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("popcnt");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4) {
    return Isa::kV4;
  }
  if (v3) {
    return Isa::kV3;
  }
#endif
  return Isa::kBaseline;
}

/// The instruction set of this name, as `to_string` spells it.
/// Throws std::invalid_argument if this machine has none of the name.
inline Isa isa_named(const std::string& name) {
  const Isa best = best_isa();
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa <= best && name == to_string(isa)) {
      return isa;
    }
  }
  throw std::invalid_argument(
      std::string(
          "REGTORCH_ISA: wanted baseline, x86-64-v3 or x86-64-v4, at most this machine's ") +
      to_string(best) + ", got '" + name + "'");
}

/// The instruction set in use: the best one, or a lesser one named by the environment variable
/// REGTORCH_ISA, read once, so that one machine can test them all.
inline Isa active_isa() {
  static const Isa isa = [] {
    const char* wanted = std::getenv("REGTORCH_ISA");
    return wanted == nullptr ? best_isa() : isa_named(wanted);
  }();
  return isa;
}

#if defined(REGTORCH_X86_64)
template <class Kernel>
REGTORCH_TARGET_V3 void run_on_v3(const Kernel& kernel) {
  kernel();
}
template <class Kernel>
REGTORCH_TARGET_V4 void run_on_v4(const Kernel& kernel) {
  kernel();
}
#endif

/// Calls `kernel()`, compiled for `isa`; its operator() must be REGTORCH_INLINE.
template <class Kernel>
void run_on(Isa isa, const Kernel& kernel) {
#if defined(REGTORCH_X86_64)
  if (isa == Isa::kV4) {
    return run_on_v4(kernel);
  }
  if (isa == Isa::kV3) {
    return run_on_v3(kernel);
  }
#endif
  (void)isa;
  kernel();
}

}  // namespace regtorch::kernels
