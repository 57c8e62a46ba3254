#pragma once

#include <optional>

#include <ATen/autocast_mode.h>
#include <c10/util/Exception.h>

namespace regtorch {

/// Autocast for as long as the object lives: operators that gain from it compute in `dtype`, while
/// the weights stay float32.
///
/// Ends by restoring the state there was before; the end of the outermost region also drops the
/// cache of cast weights, without which the next forward pass would still see the weights from
/// before the optimizer's step. Regions nest. Without a dtype the object does nothing at all.
///
/// @param device  the type of device whose operators are cast
/// @param dtype   torch::kBFloat16 or torch::kHalf; std::nullopt leaves everything as it is
class Autocast {
 public:
  /// With the parameters above.
  /// @throws c10::ValueError for another dtype
  Autocast(c10::DeviceType device, std::optional<c10::ScalarType> dtype) : device_(device) {
    if (!dtype.has_value()) {
      return;
    }
    TORCH_CHECK_VALUE(*dtype == c10::kBFloat16 || *dtype == c10::kHalf,
                      "Autocast: wanted BFloat16 or Half, got ", *dtype);
    before_ =
        State{at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device)};
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::set_autocast_dtype(device, *dtype);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (!before_.has_value()) {
      return;
    }
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();
    }
    at::autocast::set_autocast_enabled(device_, before_->enabled);
    at::autocast::set_autocast_dtype(device_, before_->dtype);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  struct State {
    bool enabled;
    c10::ScalarType dtype;
  };
  c10::DeviceType device_;
  std::optional<State> before_;
};

}  // namespace regtorch
