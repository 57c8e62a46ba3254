#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/MemoryOverlap.h>
#include <ATen/core/DimVector.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/nn/module.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/core/write_file.hpp"
#include "regtorch/models/state_dict_file.hpp"
#include "regtorch/models/state_dict_pickle.hpp"

namespace regtorch {

namespace detail {

/// A module's parameters and buffers in the order of Python's state_dict(): the module's own
/// parameters, its own buffers, then the same for each module in it.
inline TensorDict state_dict_of(const torch::nn::Module& module) {
  TensorDict state;
  module.apply([&](const std::string& name, const torch::nn::Module& part) {
    for (const auto& own : {part.named_parameters(/*recurse=*/false), part.named_buffers(false)}) {
      for (const auto& entry : own) {
        state.insert(name.empty() ? entry.key() : name + "." + entry.key(), entry.value());
      }
    }
  });
  return state;
}

/// Whether a tensor's values lie in memory, where its strides say.
inline bool has_values_in_memory(const at::Tensor& tensor) {
  return tensor.defined() && tensor.layout() == c10::kStrided && !tensor.is_meta();
}

/// The bytes of the whole storage of a tensor, on the CPU.
inline at::Tensor storage_bytes(const at::Tensor& tensor) {
  const auto size = static_cast<std::int64_t>(tensor.storage().nbytes());
  at::Tensor bytes = at::empty({0}, tensor.options().dtype(c10::kByte));
  return bytes.set_(tensor.storage(), 0, {size}, {1}).cpu();
}

/// What there is to load under a name.
struct LoadableEntry {
  std::string_view name;
  std::optional<at::DimVector> sizes;  ///< none: it is no tensor
};

/// Why entries cannot be copied into a model's, a line for each kind; "" if they can.
/// @param source  what they are in, for the message
inline std::string mismatches(const TensorDict& model, const std::vector<LoadableEntry>& entries,
                              const char* source) {
  std::map<std::string_view, std::string> lists;
  const auto add = [&](std::string_view kind, const auto&... parts) {
    lists[kind] += c10::str(lists[kind].empty() ? "" : ", ", parts...);
  };
  std::unordered_map<std::string_view, const LoadableEntry*> by_name;
  for (const auto& entry : entries) {
    by_name.emplace(entry.name, &entry);
    if (!model.contains(std::string(entry.name))) {
      add("unexpected", entry.name);
    }
  }
  for (const auto& own : model) {
    const auto& name = own.key();
    const auto& tensor = own.value();
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      add("missing", name);
    } else if (const auto& sizes = found->second->sizes; !sizes.has_value()) {
      add("not a tensor", name);
    } else if (tensor.sizes() != *sizes) {
      add("of another shape", name, " (", c10::IntArrayRef(*sizes), " in the ", source, ", ",
          tensor.sizes(), " in the model)");
    } else if (!has_values_in_memory(tensor) ||
               at::has_internal_overlap(tensor) == at::MemOverlap::Yes) {
      add("cannot be written in the model", name);
    }
  }
  std::string text;
  for (const auto& [kind, list] : lists) {
    text += c10::str("\n  ", kind, ": ", list);
  }
  return text;
}

}  // namespace detail

/// Writes tensors by name to a file that Python's `torch.load(path)` reads as an OrderedDict in the
/// same order.
///
/// Names, types, shapes and strides are kept; tensors that share memory are written once. CUDA
/// tensors are written as CPU tensors. The file is replaced as a whole or not at all.
///
/// @param state  the tensors
/// @param path   the file
/// @throws c10::Error naming the file if it cannot be written; naming the file and the tensor if
///         there is one that is sparse, quantized or on the meta device
///
/// Source: the format is that of torch.save in PyTorch 2.13, torch/serialization.py.
inline void save_state_dict(const TensorDict& state, const std::filesystem::path& path) {
  const at::NoGradGuard no_grad;
  detail::StateDictPickler pickle;
  std::vector<at::Tensor> tensors;  // one of each storage
  std::map<std::pair<const void*, c10::ScalarType>, std::size_t> numbers;
  for (const auto& entry : state) {
    const auto& name = entry.key();
    const auto& value = entry.value();
    TORCH_CHECK(detail::has_values_in_memory(value) &&
                    detail::find_pickled_dtype(value.scalar_type()) != nullptr,
                "save_state_dict: ", path.string(), ": wanted a dense tensor of numbers as ", name,
                ", got ", value.toString(), " ", value.sizes());
    const at::Tensor tensor = value.resolve_conj().resolve_neg();
    const auto [number, is_new] = numbers.try_emplace(
        {tensor.storage().unsafeGetStorageImpl(), tensor.scalar_type()}, tensors.size());
    if (is_new) {
      tensors.push_back(tensor);
    }
    pickle.add(name, tensor, std::to_string(number->second));
  }

  std::string bytes;
  {
    caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, std::size_t size) {
      bytes.append(static_cast<const char*>(data), size);
      return size;
    });
    const auto& pickled = pickle.finish();
    writer.writeRecord("data.pkl", pickled.data(), pickled.size());
    writer.writeRecord("byteorder", detail::kByteOrder.data(), detail::kByteOrder.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto storage = detail::storage_bytes(tensors[i]);
      writer.writeRecord("data/" + std::to_string(i), storage.data_ptr(), storage.nbytes());
    }
    writer.writeEndOfFile();
  }
  try {
    write_file(path, bytes);
  } catch (const c10::Error& error) {
    TORCH_CHECK(false, "save_state_dict: ", error.what_without_backtrace());
  }
}

/// Writes a module's parameters and buffers to a file that Python's `torch.load(path)` reads as the
/// module's state_dict: in Python's order, which is each module's own parameters, then its own
/// buffers, then the modules in it.
///
///     rt::save_state_dict(*model, "model.pt");  // model.load_state_dict(torch.load("model.pt"))
///
/// @param module  whose parameters and buffers are meant
/// @param path    the file
/// @throws what save_state_dict of a TensorDict throws
inline void save_state_dict(const torch::nn::Module& module, const std::filesystem::path& path) {
  save_state_dict(detail::state_dict_of(module), path);
}

/// Reads tensors by name, on the CPU, from a file that `save_state_dict` or Python's
/// `torch.save(model.state_dict(), path)` wrote.
///
/// Any bytes may be in the file: nothing in it is ever run, and no size it claims is believed.
///
/// @param path  the file
/// @return tensors of their own memory, in the order of the file
/// @throws c10::Error naming the file and what is wrong with it, or an entry that is not a tensor
inline TensorDict load_state_dict(const std::filesystem::path& path) {
  detail::StateDictFile file(path, c10::str("load_state_dict: ", path.string()));
  file.check_size_of_copies();
  TensorDict state;
  for (const auto& entry : file.entries()) {
    TORCH_CHECK(entry.tensor != nullptr, "load_state_dict: ", path.string(),
                ": wanted a tensor as ", entry.name);
    // A copy, since tensors may share a storage in the file, and bytes of a larger one stay alive.
    state.insert(std::string(entry.name), file.read(*entry.tensor).clone());
  }
  return state;
}

/// Copies the values of a file into a module's parameters and buffers: a state_dict that
/// `save_state_dict` or Python's `torch.save(model.state_dict(), path)` wrote, or a dict of
/// parameters.
///
/// The module's tensors stay what they are (memory, strides, type, device), so an optimizer goes on
/// with them; values are converted to their types, as Python does. Any bytes may be in the file:
/// nothing in it is ever run, and no size it claims is believed.
///
///     rt::load_state_dict(*model, "model.pt");  // of torch.save(model.state_dict(), ...)
///
/// @param module  which must have just the entries of the file
/// @param path    the file
/// @throws c10::Error, with the module unchanged, naming the file and every entry that is missing,
///         unexpected, of another shape or not a tensor; or what is wrong with the file
///
/// Source: the format is that of torch.save in PyTorch 2.13, torch/serialization.py; what is
/// allowed in it is a part of torch/_weights_only_unpickler.py.
inline void load_state_dict(torch::nn::Module& module, const std::filesystem::path& path) {
  const std::string where = "load_state_dict: " + path.string();
  detail::StateDictFile file(path, where);
  std::vector<detail::LoadableEntry> entries;
  for (const auto& entry : file.entries()) {
    entries.push_back({entry.name, entry.tensor == nullptr
                                       ? std::nullopt
                                       : std::make_optional(file.sizes(*entry.tensor))});
  }
  auto model = detail::state_dict_of(module);
  const auto mismatches = detail::mismatches(model, entries, "file");
  TORCH_CHECK(mismatches.empty(), where, " does not fit the model:", mismatches);

  // All values are read before the first one is written.
  std::vector<at::Tensor> values;
  for (const auto& entry : model) {
    values.push_back(file.read(*file.find(entry.key())->tensor));
  }
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < model.size(); ++i) {
    model[i].value().copy_(values[i]);
  }
}

namespace detail {

/// @throws c10::Error if load_state_dict(module, state) would
inline void check_state_dict(const TensorDict& module, const TensorDict& state) {
  std::vector<LoadableEntry> entries;
  for (const auto& entry : state) {
    TORCH_CHECK(has_values_in_memory(entry.value()), "load_state_dict: wanted a dense tensor as ",
                entry.key(), ", got ", describe(entry.value()));
    entries.push_back({entry.key(), at::DimVector(entry.value().sizes())});
  }
  const auto found = mismatches(module, entries, "dict");
  TORCH_CHECK(found.empty(), "load_state_dict: the dict does not fit the model:", found);
}

}  // namespace detail

/// Copies tensors by name into a module's parameters and buffers, as load_state_dict of a file.
/// @throws c10::Error, with the module unchanged, naming every entry that is missing, unexpected or
///         of another shape
inline void load_state_dict(torch::nn::Module& module, const TensorDict& state) {
  auto model = detail::state_dict_of(module);
  detail::check_state_dict(model, state);
  const at::NoGradGuard no_grad;
  for (auto& entry : model) {
    entry.value().copy_(state[entry.key()]);
  }
}

}  // namespace regtorch
