#include "regtorch/cuda/disturb_value.cuh"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/disturb_value.hpp"
#include "simt/schedule.hpp"

namespace {

namespace rt = regtorch;

/// The host's float64 -> float32 -> Value, as the CPU's kernel has it for types that are classes.
template <class Value>
Value rounded(double value) {
  if constexpr (std::is_same_v<Value, double>) {
    return value;
  } else {
    return rt::cuda::from_float<Value>(static_cast<float>(value));
  }
}
template <class Value>
double wide(Value value) {
  if constexpr (std::is_same_v<Value, double>) {
    return value;
  } else {
    return static_cast<double>(rt::cuda::to_float(value));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("cuda::disturb_values disturbs the values that the CPU does, as much", "[cuda]",
                   float, double, __half, __nv_bfloat16) {
  const std::int64_t count = GENERATE(0, 1, 31, 32, 33, 128, 1000, 50257);
  const double alpha = GENERATE(0.1, 1.0);
  const rt::kernels::RandomStream stream{42, 1, 5};
  const std::uint64_t yes = rt::kernels::threshold(alpha);
  std::vector<TestType> in(static_cast<std::size_t>(count));
  std::vector<double> noise(in.size(), -0.0);
  std::vector<double> drawn(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    in[i] = rounded<TestType>(std::sin(static_cast<double>(i)));
  }
  rt::kernels::disturb_values(noise.data(), drawn.data(), 0, count, yes, 0.5, stream,
                              rt::kernels::Isa::kBaseline);
  rt::simt::for_each_schedule([&] {
    std::vector<TestType> out(in.size());
    rt::cuda::disturb_values(in.data(), out.data(), count, yes, 0.5, stream, nullptr);
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      // The emulator's log and cos are the host's: on a device the last places of float64 differ.
      wrong += wide(out[i]) != wide(rounded<TestType>(wide(in[i]) + drawn[i]));
    }
    CHECK(wrong == 0);
  });
}
