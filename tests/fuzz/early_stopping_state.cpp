// Any tensors by name as the saved state of an EarlyStopping: a c10::Error, or a state that comes
// back the same and that checks can go on from.

#include <cstddef>
#include <cstdint>

#include "fuzz.hpp"
#include "regtorch/stopping/early_stopping.hpp"
#include "states.hpp"

using regtorch::TensorDict;
using regtorch::testing::any_tensors;
using regtorch::testing::require;
using regtorch::testing::same;
using regtorch::testing::some_doubles;
using regtorch::testing::some_integers;
using regtorch::testing::succeeds;

namespace {

TensorDict any_state(FuzzedDataProvider& input) {
  TensorDict state = any_tensors(input, {"", "best", "checks", "best_weights.", "last_weights."});
  if (input.ConsumeBool() && !state.contains("best")) {
    state.insert("best", some_doubles(input, 1));
  }
  if (input.ConsumeBool() && !state.contains("checks")) {
    state.insert("checks", some_integers(input, 5));
  }
  return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input(data, size);
  const auto tensors = any_state(input);
  auto options = regtorch::EarlyStoppingOptions().patience(input.ConsumeIntegralInRange(1, 9));
  regtorch::EarlyStopping stopper(options);
  const auto before = stopper.state_dict();
  if (!succeeds([&] { stopper.load_state_dict(tensors); })) {
    require(same(stopper.state_dict(), before), "after an error nothing has changed");
    return 0;
  }
  const auto saved = stopper.state_dict();
  regtorch::EarlyStopping other(options);
  other.load_state_dict(saved);
  require(same(other.state_dict(), saved), "a state comes back as it was saved");
  for (int i = 0; i < 3; ++i) {
    const double value = input.ConsumeFloatingPoint<double>();
    require(stopper.step(value) == other.step(value), "both go on alike");
    require(same(other.state_dict(), stopper.state_dict()), "both go on alike");
  }
  return 0;
}
