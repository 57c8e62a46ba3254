#include "regtorch/cuda/disturb_label.cuh"

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/disturb_label.hpp"
#include "simt/error.hpp"
#include "simt/schedule.hpp"

namespace {

namespace rt = regtorch;

template <class Label>
std::vector<Label> labels(std::int64_t count, std::int64_t classes, Label keep) {
  std::vector<Label> result(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    result[static_cast<std::size_t>(i)] =
        i % 7 == 3 ? keep : static_cast<Label>((i * 31 + 5) % classes);
  }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("cuda::disturb_labels makes the CPU's labels, bit for bit", "[cuda]",
                   std::int64_t, std::int32_t) {
  // 257 x 1,024: more groups than the launch of a small device has warps.
  const std::int64_t count = GENERATE(0, 1, 31, 32, 33, 127, 128, 129, 1000, 50257, 263168);
  const std::uint32_t classes = GENERATE(1u, 10u, 1000u);
  const rt::kernels::RandomStream stream{0x0123456789ABCDEF, 3, 17};
  const auto rule = rt::kernels::DisturbRule::make(0.3, classes);
  const auto in = labels<TestType>(count, classes, -100);
  std::vector<TestType> expected(in.size());
  rt::kernels::disturb_labels(in.data(), expected.data(), 0, count, -100, rule, stream,
                              rt::kernels::Isa::kBaseline);
  rt::simt::for_each_schedule([&] {
    std::vector<TestType> out(in.size());
    rt::cuda::disturb_labels(in.data(), out.data(), count, -100, rule, stream, nullptr);
    CHECK(out == expected);
  });
}

TEST_CASE("cuda::disturb_labels stops at a label that is no class", "[cuda]") {
  const std::int64_t wrong = GENERATE(-1, 10);
  const auto rule = rt::kernels::DisturbRule::make(0.3, 10);
  std::vector<std::int64_t> in(1000, 9);
  in[777] = wrong;
  std::vector<std::int64_t> out(1000);
  CHECK_THROWS_AS(
      rt::cuda::disturb_labels(in.data(), out.data(), 1000, -100, rule, {1, 2, 3}, nullptr),
      rt::simt::Error);
  in[777] = -100;
  CHECK_NOTHROW(
      rt::cuda::disturb_labels(in.data(), out.data(), 1000, -100, rule, {1, 2, 3}, nullptr));
}
