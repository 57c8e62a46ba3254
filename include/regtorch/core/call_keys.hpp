#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "regtorch/core/key.hpp"
#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"

namespace regtorch::detail {

/// The keys of a piece's calls: with a seed that of the n-th call, without one a new one each time.
class CallKeys {
 public:
  explicit CallKeys(std::optional<std::uint64_t> seed) : seed_(seed) {}

  Key next() { return seed_.has_value() ? Key{*seed_, calls_++} : Key{seed_or_draw({}), 0}; }

  /// "calls", int64 [1]: how many calls drew from the seed given.
  TensorDict state_dict() const {
    TensorDict state;
    state.insert("calls", to_tensor(std::vector{static_cast<std::int64_t>(calls_)}));
    return state;
  }
  /// @param piece  begins the error message
  /// @throws c10::Error, with nothing changed, if `state` is not what state_dict() gives
  void load_state_dict(std::string_view piece, const TensorDict& state) {
    calls_ = static_cast<std::uint64_t>(StateReader(piece, state).counts("calls", 1)[0]);
  }

 private:
  std::optional<std::uint64_t> seed_;
  std::uint64_t calls_ = 0;
};

}  // namespace regtorch::detail
