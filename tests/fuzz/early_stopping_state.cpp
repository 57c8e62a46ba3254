// Any tensors by name as the saved state of an EarlyStopping: a c10::Error, or a state that comes
// back the same and that checks can go on from.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <ATen/ops/empty.h>

#include "fuzz.hpp"
#include "regtorch/stopping/early_stopping.hpp"

using regtorch::TensorDict;
using regtorch::testing::require;
using regtorch::testing::succeeds;

namespace {

at::Tensor any_tensor(FuzzedDataProvider& input) {
  std::vector<std::int64_t> sizes(input.ConsumeIntegralInRange<std::size_t>(0, 3));
  for (auto& size : sizes) {
    size = input.ConsumeIntegralInRange<std::int64_t>(0, 6);
  }
  const auto type = input.PickValueInArray(
      {at::kDouble, at::kLong, at::kFloat, at::kBFloat16, at::kInt, at::kByte, at::kBool});
  const auto tensor = at::empty(sizes, type).zero_();
  // Of a bool no other values are allowed.
  if (type != at::kBool && tensor.nbytes() > 0) {
    input.ConsumeData(tensor.mutable_data_ptr(), tensor.nbytes());
  }
  return tensor;
}

TensorDict any_state(FuzzedDataProvider& input) {
  TensorDict state;
  while (input.ConsumeBool() && state.size() < 8) {
    const auto* prefix =
        input.PickValueInArray({"", "best", "checks", "best_weights.", "last_weights."});
    const std::string name = prefix + input.ConsumeRandomLengthString(4);
    if (!state.contains(name)) {
      state.insert(name, any_tensor(input));
    }
  }
  // What a good state has, or the fuzzer would take long to guess it.
  if (input.ConsumeBool() && !state.contains("best")) {
    state.insert("best", at::empty({}, at::kDouble).fill_(input.ConsumeFloatingPoint<double>()));
  }
  if (input.ConsumeBool() && !state.contains("checks")) {
    const auto checks = at::empty({5}, at::kLong);
    for (int i = 0; i < 5; ++i) {
      checks.mutable_data_ptr<std::int64_t>()[i] = input.ConsumeBool()
                                                       ? input.ConsumeIntegral<std::int64_t>()
                                                       : input.ConsumeIntegral<std::int8_t>();
    }
    state.insert("checks", checks);
  }
  return state;
}

bool same(const TensorDict& a, const TensorDict& b) {
  bool same = a.keys() == b.keys();
  for (std::size_t i = 0; same && i < a.size(); ++i) {
    const auto x = a[i].value().contiguous();
    const auto y = b[i].value().contiguous();
    same =
        x.scalar_type() == y.scalar_type() && x.sizes() == y.sizes() &&
        (x.nbytes() == 0 || std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0);
  }
  return same;
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
