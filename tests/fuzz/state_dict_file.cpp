// Any bytes as a file of a state_dict: tensors, which can be saved and come back the same, or a
// c10::Error, with the model unchanged.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include <ATen/ops/full.h>

#include "fuzz.hpp"
#include "regtorch/models/state_dict.hpp"
#include "scratch_file.hpp"

using regtorch::TensorDict;
using regtorch::testing::require;
using regtorch::testing::ScratchFile;
using regtorch::testing::succeeds;

namespace {

/// A model of one tensor `w` of four sevens.
struct Model : torch::nn::Module {
  Model() : w(register_buffer("w", at::full({4}, 7.0f))) {}
  at::Tensor w;
};

/// Also where they are nan.
bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  const auto x = a.contiguous();
  const auto y = b.contiguous();
  return x.scalar_type() == y.scalar_type() && x.sizes() == y.sizes() &&
         (x.nbytes() == 0 || std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0);
}

/// C++ knows no bool of another byte than 0 and 1.
bool has_good_bools(const at::Tensor& tensor) {
  const auto values = tensor.contiguous();
  const auto* byte = static_cast<const std::uint8_t*>(values.const_data_ptr());
  return values.scalar_type() != at::kBool ||
         std::all_of(byte, byte + values.nbytes(), [](std::uint8_t b) { return b <= 1; });
}

void check_saved(const TensorDict& state) {
  static const ScratchFile file;
  regtorch::save_state_dict(state, file.path());
  const auto again = regtorch::load_state_dict(file.path());
  require(again.keys() == state.keys(), "saved names come back");
  for (const auto& entry : state) {
    require(same_bytes(entry.value(), again[entry.key()]), "saved tensors come back");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFile file;
  file.put({reinterpret_cast<const char*>(data), size});

  TensorDict state;
  const bool loaded = succeeds([&] { state = regtorch::load_state_dict(file.path()); });
  if (loaded) {
    for (const auto& entry : state) {
      require(has_good_bools(entry.value()), "a bool is a bool");
    }
    check_saved(state);
  }
  Model model;
  if (!succeeds([&] { regtorch::load_state_dict(model, file.path()); })) {
    require(same_bytes(model.w, at::full({4}, 7.0f)), "after an error the model is as it was");
  } else if (loaded) {
    require(same_bytes(model.w, state["w"].to(at::kFloat)), "the model has the file's values");
  }
  return 0;
}
