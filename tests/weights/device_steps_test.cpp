#include "regtorch/weights/device_steps.hpp"

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/sgd_rule.hpp"

namespace device_steps_test {

using rt::kernels::SgdRule;
using rt::kernels::StepArrays;

TEST_CASE("DeviceSteps joins parameters of one device and one rule", "[weights]") {
  rt::detail::DeviceSteps<SgdRule> steps;
  steps.run([](int, const StepArrays*, std::int64_t, const SgdRule&) { FAIL("there is none"); });
  const SgdRule slow{.rate = 0.1};
  const SgdRule fast{.rate = 0.2};
  const auto of_size = [](std::int64_t size) {
    StepArrays arrays;
    arrays.size = size;
    return arrays;
  };
  steps.add(0, slow, of_size(1));
  steps.add(0, fast, of_size(2));
  steps.add(1, slow, of_size(3));
  steps.add(0, slow, of_size(4));
  steps.add(0, fast, of_size(5));
  struct Call {
    int device;
    double rate;
    std::vector<std::int64_t> sizes;
  };
  std::vector<Call> calls;
  steps.run([&](int device, const StepArrays* arrays, std::int64_t count, const SgdRule& rule) {
    calls.push_back({device, rule.rate, {}});
    for (std::int64_t i = 0; i < count; ++i) {
      calls.back().sizes.push_back(arrays[i].size);
    }
  });
  REQUIRE(calls.size() == 3);
  CHECK((calls[0].device == 0 && calls[0].rate == 0.1));
  CHECK(calls[0].sizes == std::vector<std::int64_t>{1, 4});
  CHECK((calls[1].device == 0 && calls[1].rate == 0.2));
  CHECK(calls[1].sizes == std::vector<std::int64_t>{2, 5});
  CHECK((calls[2].device == 1 && calls[2].rate == 0.1));
  CHECK(calls[2].sizes == std::vector<std::int64_t>{3});
}

}  // namespace device_steps_test
