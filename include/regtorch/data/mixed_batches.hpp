#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "regtorch/core/key.hpp"
#include "regtorch/data/batches.hpp"
#include "regtorch/transforms/mixing.hpp"

namespace regtorch::data {

/// A mix that says what it does before it does it, so that a pipeline can do it in its own pass
/// over the images: transforms::MixUp and CutMix. `mixture` is asked twice a batch, and must answer
/// the same.
template <class Mix>
concept FoldableMix =
    requires(const Mix& mix, Key key, kernels::ImageSize size, const at::Tensor& labels) {
      { mix.targets(labels, mix.mixture(key, std::int64_t{0}, size)) } -> std::same_as<at::Tensor>;
    };

/// Batches whose samples are mixed: MixUp or CutMix over a training set.
///
///     rt::data::MixedBatches mixed(std::move(batches), rt::transforms::MixUp(10, 0.2));
///     trainer.fit(mixed, validation);
///
/// Each batch has `images` and, as `labels`, the probabilities float32 [B,num_classes]. How batch b
/// of pass p is mixed depends on the seed of the batches, p and b alone.
///
/// @tparam Mix  a FoldableMix: transforms::MixUp, transforms::CutMix; or any class that is called
///              with (images, labels, rt::Key, std::int64_t batch) and returns transforms::Mixed
template <class Mix>
class MixedBatches {
 public:
  /// @param batches  the plain ones
  /// @param mix      MixUp or CutMix
  MixedBatches(Batches batches, Mix mix) : batches_(std::move(batches)), mix_(std::move(mix)) {}

  /// The number of batches in a pass.
  std::int64_t size() const { return batches_.size(); }
  /// The batches as they are before they are mixed.
  Batches& batches() { return batches_; }

  /// The batches' state, for a checkpoint.
  TensorDict state_dict() const { return batches_.state_dict(); }
  /// @throws what Batches::load_state_dict throws
  void load_state_dict(const TensorDict& state) { batches_.load_state_dict(state); }

  /// One pass, from its first batch on.
  class Iterator {
   public:
    /// @{
    /// What an input iterator has; begin() makes one.
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using pointer = Batch*;
    using reference = Batch&;

    Iterator(const Mix* mix, Batches::Iterator plain) : mix_(mix), plain_(std::move(plain)) {
      make();
    }
    Batch& operator*() { return batch_; }
    Batch* operator->() { return &batch_; }
    Iterator& operator++() {
      ++plain_;
      make();
      return *this;
    }
    void operator++(int) { ++*this; }
    /// Goes over so many batches without making them.
    void skip(std::int64_t batches) {
      plain_.skip(batches);
      make();
    }
    bool operator==(std::default_sentinel_t end) const { return plain_ == end; }
    /// @}

   private:
    void make() {
      if (!(plain_ == std::default_sentinel)) {
        if constexpr (FoldableMix<Mix>) {
          const at::Tensor& images = plain_->images;  // mixed already
          const auto mixture =
              mix_->mixture(plain_.key(), plain_.position(), transforms::image_size(images));
          batch_ = {images, mix_->targets(plain_->labels, mixture), plain_->indices};
        } else {
          auto mixed = (*mix_)(plain_->images, plain_->labels, plain_.key(), plain_.position());
          batch_ = {mixed.images, mixed.targets, plain_->indices};
        }
      }
    }

    const Mix* mix_;
    Batches::Iterator plain_;
    Batch batch_;
  };

  /// Starts a new pass.
  Iterator begin() {
    if constexpr (FoldableMix<Mix>) {
      const auto mixture = [this](Key key, std::int64_t batch, kernels::ImageSize size) {
        return mix_.mixture(key, batch, size);
      };
      return Iterator(&mix_, batches_.begin(mixture));
    } else {
      return Iterator(&mix_, batches_.begin());
    }
  }
  /// Where every pass ends.
  std::default_sentinel_t end() const { return {}; }

 private:
  Batches batches_;
  Mix mix_;
};

}  // namespace regtorch::data
