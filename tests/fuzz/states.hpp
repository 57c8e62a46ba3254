#pragma once

// Tensors by name, as a program's state may come back from a file that nobody vouches for.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include <ATen/ops/empty.h>

#include "fuzz.hpp"
#include "regtorch/core/tensor_dict.hpp"

namespace regtorch::testing {

inline at::Tensor any_tensor(FuzzedDataProvider& input) {
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

/// Some tensors, their names made of one of these beginnings and a few characters.
inline TensorDict any_tensors(FuzzedDataProvider& input,
                              std::initializer_list<const char* const> beginnings) {
  TensorDict tensors;
  while (input.ConsumeBool() && tensors.size() < 8) {
    const std::string name =
        input.PickValueInArray(beginnings) + input.ConsumeRandomLengthString(4);
    if (!tensors.contains(name)) {
      tensors.insert(name, any_tensor(input));
    }
  }
  return tensors;
}

/// int64 [count], small numbers more often than others. What a good state has, or the fuzzer would
/// take long to guess it.
inline at::Tensor some_integers(FuzzedDataProvider& input, std::size_t count) {
  const auto tensor = at::empty({static_cast<std::int64_t>(count)}, at::kLong);
  for (std::size_t i = 0; i < count; ++i) {
    tensor.mutable_data_ptr<std::int64_t>()[i] = input.ConsumeBool()
                                                     ? input.ConsumeIntegral<std::int64_t>()
                                                     : input.ConsumeIntegral<std::int8_t>();
  }
  return tensor;
}

/// float64 [count]
inline at::Tensor some_doubles(FuzzedDataProvider& input, std::size_t count) {
  const auto tensor = at::empty({static_cast<std::int64_t>(count)}, at::kDouble);
  for (std::size_t i = 0; i < count; ++i) {
    tensor.mutable_data_ptr<double>()[i] = input.ConsumeFloatingPoint<double>();
  }
  return tensor;
}

/// Whether two states have the same names, types, shapes and bytes.
inline bool same(const TensorDict& a, const TensorDict& b) {
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

}  // namespace regtorch::testing
