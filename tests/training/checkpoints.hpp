#pragma once

// What the tests of ModelCheckpoint share.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <torch/torch.h>

#include "regtorch/models/state_dict.hpp"
#include "regtorch/training/trainer.hpp"
#include "temporary_folder.hpp"
#include "toy.hpp"

namespace regtorch::testing {

inline std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A copy of a module's parameters and buffers.
using Weights = std::vector<torch::Tensor>;
inline Weights weights_of(const torch::nn::Module& module) {
  Weights weights;
  for (const auto& tensors : {module.parameters(), module.buffers()}) {
    for (const auto& tensor : tensors) {
      weights.push_back(tensor.detach().clone());
    }
  }
  return weights;
}
inline bool equal(const Weights& a, const Weights& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) {
    equal = a[i].scalar_type() == b[i].scalar_type() && a[i].equal(b[i]);
  }
  return equal;
}

/// A model with modules in different modes, and all that a fit of it takes.
struct ToyFit {
  ToyFit() {
    model->eval();
    model[3]->train();
  }
  torch::nn::Sequential model = toy_model();
  torch::optim::Adam optimizer{model->parameters(), torch::optim::AdamOptions(1e-2)};
  torch::nn::CrossEntropyLoss criterion;
  std::vector<ToyBatch> train = toy_batches(64, 10, 1);
  std::vector<ToyBatch> validation = toy_batches(40, 16, 2);

  auto trainer(std::int64_t epochs) {
    return rt::Trainer(model, optimizer, criterion, rt::TrainerOptions().epochs(epochs));
  }
  /// Whether each module is in the mode in which the constructor left it.
  bool is_in_its_mode() {
    bool good = !model->is_training();
    for (std::size_t i = 0; i < model->size(); ++i) {
      good = good && model[i]->is_training() == (i == 3);
    }
    return good;
  }
  /// What a checkpoint of the model holds.
  static Weights weights_in(const std::filesystem::path& path) {
    auto model = toy_model();
    load_state_dict(*model, path);
    return weights_of(*model);
  }
};

/// A callback that gives each epoch its "score", and remembers its weights.
struct Score {
  std::vector<double> values;
  std::vector<Weights> weights = {};
  void on_fit_begin(TrainingState&) { weights.clear(); }
  void on_epoch_end(TrainingState& state) {
    state.metrics.set("score", values.at(static_cast<std::size_t>(state.epoch - 1)));
    weights.push_back(weights_of(state.model));
  }
};

/// A small file system of its own, for as long as it lives, if this process may mount one.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& size)
      : mounted_(::mount("regtorch-test", folder_.path.c_str(), "tmpfs", 0,
                         ("size=" + size).c_str()) == 0) {}
  ~SmallDisk() {
    if (mounted_) {
      ::umount(folder_.path.c_str());
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return folder_.path; }

  void set_read_only(bool read_only) const {
    const unsigned long flags = MS_REMOUNT | (read_only ? MS_RDONLY : 0);
    TORCH_CHECK(::mount("regtorch-test", path().c_str(), "tmpfs", flags, "") == 0, "remount");
  }
  /// Writes a file "filler" that leaves so many bytes.
  void fill(std::size_t left) const {
    struct statvfs status {};
    TORCH_CHECK(::statvfs(path().c_str(), &status) == 0, "statvfs");
    put(path() / "filler", std::string(status.f_bavail * status.f_bsize - left, 'x'));
  }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};

}  // namespace regtorch::testing
