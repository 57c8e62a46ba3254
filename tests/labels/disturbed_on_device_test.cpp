// DisturbLabel and DisturbValue by device kernels, which run on the emulator here and take CPU
// tensors for a device's.

#include "catch.hpp"
#include "regtorch/labels/disturb_label.hpp"
#include "regtorch/labels/disturb_value.hpp"
#include "simt/emulated_kernels.hpp"

namespace disturbed_on_device_test {

namespace rt = regtorch;

TEST_CASE("DisturbLabel on a device makes the CPU's labels", "[labels]") {
  const rt::testing::EmulatedKernels emulated;
  torch::manual_seed(1);
  const auto dtype = GENERATE(torch::kLong, torch::kInt);
  const auto labels = torch::randint(10, {61, 33}, dtype).t();  // strided
  rt::DisturbLabel disturb(rt::DisturbLabelOptions(30, 10).seed(7));
  const auto expected = disturb(labels);
  const auto rule = rt::kernels::DisturbRule::make(0.3, 10);
  const auto got = rt::detail::disturbed_on_device(
      labels, rule, -100, rt::Key{7, 0}.stream(rt::Purpose::kDisturbLabel));
  CHECK(torch::equal(got, expected));
  CHECK_FALSE(torch::equal(got, labels));
}

TEST_CASE("DisturbValue on a device makes the CPU's values", "[labels]") {
  const rt::testing::EmulatedKernels emulated;
  torch::manual_seed(2);
  const auto dtype = GENERATE(torch::kFloat, torch::kDouble, torch::kHalf, torch::kBFloat16);
  const auto targets = torch::randn({61, 33}).to(dtype).t();
  rt::DisturbValue disturb(rt::DisturbValueOptions(30, 0.5).seed(7));
  const auto expected = disturb(targets);
  const auto got = rt::detail::disturbed_on_device(
      targets, rt::kernels::threshold(0.3), 0.5, rt::Key{7, 0}.stream(rt::Purpose::kDisturbValue));
  CHECK(torch::equal(got, expected));
  CHECK_FALSE(torch::equal(got, targets));
}

}  // namespace disturbed_on_device_test
