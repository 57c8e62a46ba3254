#pragma once

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>
#include <unistd.h>

#include "regtorch/core/monitor_mode.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/models/state_dict.hpp"
#include "regtorch/training/file_name_pattern.hpp"
#include "regtorch/training/kept_file.hpp"
#include "regtorch/training/model_checkpoint_options.hpp"
#include "regtorch/training/new_file.hpp"
#include "regtorch/training/training_state.hpp"

namespace regtorch {

/// A callback that saves the model's weights during a fit, by save_state_dict: of the best epoch,
/// of the k best, or of every n-th.
///
///     trainer.fit(batches, validation, rt::ModelCheckpoint("best.pt"));
///     rt::load_state_dict(*model, "best.pt");
///
/// In mode kMin, an epoch with value v is saved while fewer than save_top_k files are kept, or if v
/// is less than the worst of theirs; of equal values the older one stays.
///
/// A file is whole or not there at all: it is written under another name, flushed to disk and
/// renamed, and only then the one that it supersedes is removed. A name without placeholders means
/// that file, whatever is there, or the one that a symbolic link leads to: each better epoch
/// replaces it. Any other name that is taken gets "-v1", "-v2" ... before its extension, so that
/// neither a second run in the same folder nor one at the same time loses a file. Removed is only a
/// file that this fit wrote and that nobody has replaced or changed since.
///
/// Given after EarlyStopping, which stops for a value that is not finite, it takes such a value as
/// not to be saved; given before, or alone, as an error.
///
/// The union of what Lightning's and Keras's ModelCheckpoint offer for epochs.
class ModelCheckpoint {
 public:
  /// A file of this fit.
  struct Saved {
    std::filesystem::path path;  ///< where it is
    std::int64_t epoch;          ///< counted from 1
    double value;                ///< of the monitored metric; NaN where none is judged
  };

  /// @param options  see model_checkpoint_options.hpp
  /// @throws c10::ValueError for an option out of range, a pattern that is none (the message says
  ///         where), and one without {epoch} if more than one file is kept
  explicit ModelCheckpoint(ModelCheckpointOptions options)
      : options_(std::move(options)), pattern_(options_.path_pattern().string()) {
    detail::check_options(options_);
    TORCH_CHECK_VALUE(options_.save_top_k() == 1 || pattern_.has_epoch(),
                      "ModelCheckpoint: wanted {epoch} in the file name pattern '", pattern_.text(),
                      "' where more than one file is kept: two epochs could have the same name");
  }
  /// The best epoch by val_loss.
  explicit ModelCheckpoint(std::filesystem::path path_pattern)
      : ModelCheckpoint(ModelCheckpointOptions(std::move(path_pattern))) {}

  /// The best value saved in this fit; infinity, or minus infinity for kMax, before there is one.
  double best() const { return has_best() ? kept_.front().value : worst_value(options_.mode()); }
  /// Its file; empty before there is one.
  std::filesystem::path best_path() const {
    return has_best() ? kept_.front().path : std::filesystem::path();
  }
  /// The files of this fit that are kept, the best first; where none is judged, in order.
  std::vector<Saved> saved() const {
    std::vector<Saved> result;
    result.reserve(kept_.size());
    for (const auto& kept : kept_) {
      result.push_back({kept.path, kept.epoch, kept.value});
    }
    return result;
  }

  /// Which files are kept, for a checkpoint of the training.
  TensorDict state_dict() const { return detail::to_tensors(kept_); }
  /// Goes on with those files; one that has been replaced or changed since is left alone.
  /// @throws c10::Error, with nothing changed, if `state` is not what state_dict() gives
  void load_state_dict(const TensorDict& state) { kept_ = detail::kept_files_of(state); }

  /// Forgets earlier fits, whose files stay, and finds out now what would fail after hours.
  /// @throws c10::Error if the folder cannot be made or written to, a folder or device has the
  ///         file's name, or the name is too long
  void on_fit_begin(TrainingState& state) {
    kept_.clear();
    detail::check_can_write("ModelCheckpoint", pattern_.longest(state.epochs), pattern_.is_fixed());
  }

  /// Saves the weights if the epoch is one to keep.
  /// @throws c10::ValueError for a metric that does not exist; the message lists those that do
  /// @throws c10::Error for a value that is not finite, unless check_finite is false or the fit is
  ///         stopping; and if the file cannot be written: then every file is as it was
  void on_epoch_end(TrainingState& state) {
    // In every epoch, so that a metric that does not exist is found in the first one.
    const double value =
        judges() ? state.metrics.at(options_.monitor()) : std::numeric_limits<double>::quiet_NaN();
    const auto path = pattern_.path(state.epoch, state.metrics);
    if (state.epoch % options_.every_n_epochs() != 0 || !wants(value, state)) {
      return;
    }
    try {
      save(value, state);
    } catch (const c10::Error& error) {
      TORCH_CHECK(false, "ModelCheckpoint: could not save epoch ", state.epoch, " as ",
                  path.string(), ": ", error.what_without_backtrace(), "; ", what_is_kept());
    }
  }

 private:
  using Kept = detail::KeptFile;

  bool judges() const { return options_.save_top_k().has_value(); }
  bool has_best() const { return judges() && !kept_.empty(); }
  bool is_full() const { return options_.save_top_k() == static_cast<std::int64_t>(kept_.size()); }

  /// For error messages.
  std::string what_is_kept() const {
    return kept_.empty()
               ? "nothing was saved in this fit"
               : c10::str(kept_.front().path.string(), " still holds epoch ", kept_.front().epoch);
  }

  bool wants(double value, const TrainingState& state) const {
    if (!judges()) {
      return true;
    }
    if (!std::isfinite(value)) {
      TORCH_CHECK(!options_.check_finite() || state.stopping, "ModelCheckpoint: wanted a finite ",
                  options_.monitor(), ", got ", value, " in epoch ", state.epoch, "; ",
                  what_is_kept());
      return false;
    }
    const auto& threshold = options_.initial_value_threshold();
    return (!threshold.has_value() || is_better(value, *threshold, options_.mode())) &&
           (!is_full() || is_better(value, kept_.back().value, options_.mode()));
  }

  void save(double value, const TrainingState& state) {
    if (pattern_.is_fixed()) {
      const auto path = pattern_.path(state.epoch, state.metrics);
      save_state_dict(state.model, path);
      kept_ = {{path, state.epoch, value, detail::FileIdentity(path)}};
      return;
    }
    detail::NewFile file(pattern_.folder());
    save_state_dict(state.model, file.path());
    Kept kept{{}, state.epoch, value, detail::FileIdentity(file.path())};
    kept.path = give_name(file, state);
    if (is_full()) {
      remove(kept_.back());  // which is gone already if its name was taken over
      kept_.pop_back();
    }
    const auto place = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& other) {
      return is_better(value, other.value, options_.mode());
    });
    kept_.insert(place, std::move(kept));
  }

  /// Gives the file its name, or the first version of it that is free.
  std::filesystem::path give_name(detail::NewFile& file, const TrainingState& state) const {
    for (int version = 0;; ++version) {
      auto path = pattern_.path(state.epoch, state.metrics, version);
      // The file that has to go anyway may have the name: two values may look alike.
      const bool superseded =
          is_full() && kept_.back().path == path && kept_.back().identity.is_still_at(path);
      if (superseded) {
        file.rename(path);
        return path;
      }
      if (file.rename_if_free(path)) {
        return path;
      }
    }
  }

  static void remove(const Kept& kept) {
    const auto& path = kept.path;
    if (kept.identity.is_still_at(path) && ::unlink(path.c_str()) != 0) {
      TORCH_WARN("ModelCheckpoint: could not remove ", path.string(), ": ",
                 std::generic_category().message(errno));
    }
  }

  ModelCheckpointOptions options_;
  detail::FileNamePattern pattern_;
  std::vector<Kept> kept_;  // the best first
};

}  // namespace regtorch
