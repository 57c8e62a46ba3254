#include "regtorch/kernels/simd.hpp"

#include <stdexcept>
#include <string>

#include "catch.hpp"

namespace simd_test {

using namespace regtorch::kernels;

TEST_CASE("run_on runs a kernel once on every instruction set there is", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    float values[64];
    for (int i = 0; i < 64; ++i) {
      values[i] = static_cast<float>(i);
    }
    int calls = 0;
    run_on(isa, [&]() REGTORCH_INLINE_LAMBDA {
      ++calls;
      for (int i = 0; i < 64; ++i) {
        values[i] = values[i] * 2.0f;
      }
    });
    CHECK(calls == 1);
    for (int i = 0; i < 64; ++i) {
      CHECK(values[i] == static_cast<float>(2 * i));
    }
  }
}

TEST_CASE("the instruction set in use is the best one, or what REGTORCH_ISA names", "[kernels]") {
  const char* wanted = std::getenv("REGTORCH_ISA");
  CHECK(std::string(to_string(active_isa())) ==
        (wanted == nullptr ? to_string(best_isa()) : wanted));
}

TEST_CASE("an instruction set has a name, and others are refused", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa <= best_isa()) {
      CHECK(isa_named(to_string(isa)) == isa);
    } else {
      CHECK_THROWS_AS(isa_named(to_string(isa)), std::invalid_argument);
    }
  }
  for (const char* name : {"", "avx2", "x86-64-v5"}) {
    CHECK_THROWS_WITH(
        isa_named(name),
        "REGTORCH_ISA: wanted baseline, x86-64-v3 or x86-64-v4, at most this machine's " +
            std::string(to_string(best_isa())) + ", got '" + name + "'");
  }
}

}  // namespace simd_test
