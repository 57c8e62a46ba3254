#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/tensor_dict.hpp"

/// Numbers and texts as the tensors of a state_dict, and back.
namespace regtorch::detail {

template <class T>
at::Tensor vector_tensor(std::span<const T> values, c10::ScalarType type) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(values.size())}, type);
  std::copy(values.begin(), values.end(), static_cast<T*>(tensor.mutable_data_ptr()));
  return tensor;
}

/// int64 [n]
inline at::Tensor to_tensor(const std::vector<std::int64_t>& values) {
  return vector_tensor<std::int64_t>(values, at::kLong);
}
/// float64 [n]
inline at::Tensor to_tensor(const std::vector<double>& values) {
  return vector_tensor<double>(values, at::kDouble);
}
/// uint8 [n]
inline at::Tensor to_tensor(std::string_view text) {
  return vector_tensor<char>({text.data(), text.size()}, at::kByte);
}

/// uint8 [n]: each text ended by a zero byte, so none may hold one.
inline at::Tensor to_tensor(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) {
    all += text + '\0';
  }
  return to_tensor(all);
}

/// Whether something may have been counted so often, and counting may go on.
inline bool is_count(std::int64_t value) { return 0 <= value && value <= std::int64_t{1} << 62; }

/// Reads what a state_dict() gave; an entry that is missing or not what is wanted is a c10::Error
/// that names it.
class StateReader {
 public:
  /// @param who    begins every error message
  /// @param state  kept by reference
  StateReader(std::string_view who, const TensorDict& state) : who_(who), state_(state) {}

  /// @param count  how many are wanted; default: any number
  std::vector<std::int64_t> integers(const std::string& name,
                                     std::optional<std::size_t> count = std::nullopt) const {
    return values<std::int64_t>(name, at::kLong, count);
  }
  /// Integers that are counts.
  std::vector<std::int64_t> counts(const std::string& name,
                                   std::optional<std::size_t> count = std::nullopt) const {
    auto values = integers(name, count);
    TORCH_CHECK(std::all_of(values.begin(), values.end(), is_count), who_,
                ": wanted numbers from 0 to 2^62 in the entry ", name, ", got ", values);
    return values;
  }
  std::vector<double> doubles(const std::string& name,
                              std::optional<std::size_t> count = std::nullopt) const {
    return values<double>(name, at::kDouble, count);
  }
  std::string text(const std::string& name) const {
    const auto bytes = values<char>(name, at::kByte, std::nullopt);
    return {bytes.begin(), bytes.end()};
  }

  std::vector<std::string> texts(const std::string& name, std::size_t count) const {
    const std::string all = text(name);
    std::vector<std::string> texts;
    for (std::size_t begin = 0; begin < all.size();) {
      const std::size_t end = std::min(all.find('\0', begin), all.size());
      texts.push_back(all.substr(begin, end - begin));
      begin = end + 1;
    }
    TORCH_CHECK(texts.size() == count, who_, ": wanted ", count, " texts in the entry ", name,
                ", got ", texts.size());
    return texts;
  }

  const at::Tensor& tensor(const std::string& name) const {
    const at::Tensor* tensor = state_.find(name);
    TORCH_CHECK(tensor != nullptr, who_, ": wanted what state_dict() gives, got no entry ", name);
    return *tensor;
  }

 private:
  template <class T>
  std::vector<T> values(const std::string& name, c10::ScalarType type,
                        std::optional<std::size_t> count) const {
    const at::Tensor& tensor = this->tensor(name);
    TORCH_CHECK(tensor.scalar_type() == type && tensor.dim() == 1 &&
                    tensor.size(0) == static_cast<std::int64_t>(
                                          count.value_or(static_cast<std::size_t>(tensor.size(0)))),
                who_, ": wanted ", type, " [", count.has_value() ? c10::str(*count) : "n",
                "] as the entry ", name, ", got ", describe(tensor));
    const at::Tensor here = tensor.cpu().contiguous();
    const auto* first = static_cast<const T*>(here.const_data_ptr());
    return {first, first + here.numel()};
  }

  std::string who_;
  const TensorDict& state_;
};

}  // namespace regtorch::detail
