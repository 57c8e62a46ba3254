// Any tensors by name as the parts of a training checkpoint that are the Trainer's own: a
// c10::Error, or a history, a position and kept files that come back the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include "fuzz.hpp"
#include "regtorch/training/fit_progress.hpp"
#include "regtorch/training/kept_file.hpp"
#include "states.hpp"

using regtorch::TensorDict;
using regtorch::testing::any_tensors;
using regtorch::testing::require;
using regtorch::testing::same;
using regtorch::testing::some_doubles;
using regtorch::testing::some_integers;
using regtorch::testing::succeeds;

namespace {

/// Of entries that good parts have, some; these the right number of texts, integers and numbers.
TensorDict any_parts(FuzzedDataProvider& input) {
  TensorDict parts = any_tensors(input, {"history.", "sums.", "batches.", "paths", "fit", ""});
  const auto insert = [&](const std::string& name, const at::Tensor& tensor) {
    if (input.ConsumeBool() && !parts.contains(name)) {
      parts.insert(name, tensor);
    }
  };
  const auto count = input.ConsumeIntegralInRange<std::size_t>(0, 4);
  const auto doubles = some_doubles(input, count);
  const auto integers = some_integers(input, count);
  const auto texts = regtorch::detail::to_tensor(input.ConsumeRandomLengthString(16));
  insert("history.epochs", integers);
  insert("history.values", doubles);
  insert("history.names", texts);
  insert("epochs", integers);
  insert("values", doubles);
  insert("paths", texts);
  insert("files", some_integers(input, 5 * count));
  const auto fit = some_integers(input, 8);
  fit[0] = 1;  // the version
  fit[4] = 0;  // batches an epoch, as in the fit below
  insert("fit", fit);
  insert("seconds", some_doubles(input, 1));
  insert("sums.loss", some_doubles(input, 1));
  insert("sums.counts", some_integers(input, 2));
  return parts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace detail = regtorch::detail;
  FuzzedDataProvider input(data, size);
  const auto parts = any_parts(input);

  regtorch::History history;
  if (succeeds([&] { history = detail::history_of(parts); })) {
    const auto saved = detail::to_tensors(history);
    require(same(detail::to_tensors(detail::history_of(saved)), saved), "a history comes back");
  }
  std::vector<detail::KeptFile> kept;
  if (succeeds([&] { kept = detail::kept_files_of(parts); })) {
    const auto saved = detail::to_tensors(kept);
    require(same(detail::to_tensors(detail::kept_files_of(saved)), saved), "kept files come back");
  }

  static torch::nn::Linear model(1, 1);
  static torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.1));
  regtorch::TrainingState state{*model, optimizer};
  detail::FitProgress progress;
  if (succeeds([&] { progress.load(parts, state); })) {
    require(state.epoch >= 0 && state.step >= 0 && state.batch >= 0 && state.samples >= 0,
            "positions are counts");
    const auto saved = progress.to_tensors(state);
    regtorch::TrainingState other_state{*model, optimizer};
    detail::FitProgress other;
    other.load(saved, other_state);
    require(same(other.to_tensors(other_state), saved), "a position comes back");
  }
  return 0;
}
