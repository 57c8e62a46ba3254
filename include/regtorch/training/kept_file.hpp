#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/training/new_file.hpp"

namespace regtorch::detail {

/// A file that ModelCheckpoint wrote and keeps.
struct KeptFile {
  std::filesystem::path path;
  std::int64_t epoch;
  double value;
  FileIdentity identity;
};

/// "paths", uint8, each ended by a 0; "epochs", int64 [k]; "values", float64 [k]; "files", int64
/// [5k].
inline TensorDict to_tensors(const std::vector<KeptFile>& kept) {
  std::vector<std::string> paths;
  std::vector<std::int64_t> epochs;
  std::vector<double> values;
  std::vector<std::int64_t> files;
  for (const auto& file : kept) {
    paths.push_back(file.path.string());
    epochs.push_back(file.epoch);
    values.push_back(file.value);
    files.insert(files.end(), file.identity.numbers().begin(), file.identity.numbers().end());
  }
  TensorDict state;
  state.insert("paths", to_tensor(paths));
  state.insert("epochs", to_tensor(epochs));
  state.insert("values", to_tensor(values));
  state.insert("files", to_tensor(files));
  return state;
}

/// @throws c10::Error naming an entry that is missing or wrong
inline std::vector<KeptFile> kept_files_of(const TensorDict& state) {
  const StateReader reader("ModelCheckpoint", state);
  const auto epochs = reader.integers("epochs");
  const auto values = reader.doubles("values", epochs.size());
  const auto files = reader.integers("files", 5 * epochs.size());
  const auto paths = reader.texts("paths", epochs.size());
  std::vector<KeptFile> kept;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    FileIdentity::Numbers numbers;
    std::copy_n(files.begin() + static_cast<std::ptrdiff_t>(5 * i), 5, numbers.begin());
    kept.push_back({paths[i], epochs[i], values[i], FileIdentity(numbers)});
  }
  return kept;
}

}  // namespace regtorch::detail
