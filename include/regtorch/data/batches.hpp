#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <torch/arg.h>

#include "regtorch/core/key.hpp"
#include "regtorch/core/state_values.hpp"
#include "regtorch/core/tensor_dict.hpp"
#include "regtorch/data/shuffle.hpp"
#include "regtorch/data/subset.hpp"
#include "regtorch/transforms/mixing.hpp"
#include "regtorch/transforms/pipeline.hpp"

namespace regtorch::data {

/// How a dataset is cut into batches.
struct BatchesOptions {
  /// @param batch_size  samples in a batch, at least 1
  BatchesOptions(std::int64_t batch_size) : batch_size_(batch_size) {}  // NOLINT: Options(32) idiom

  /// Samples in a batch, at least 1.
  TORCH_ARG(std::int64_t, batch_size);
  /// A new random order in every pass; default false: the dataset's order.
  TORCH_ARG(bool, shuffle) = false;
  /// Leaves out the last batch where it would be smaller than the others; default false.
  TORCH_ARG(bool, drop_last) = false;
  /// Of order and augmentation; default: drawn from LibTorch's default CPU generator.
  TORCH_ARG(std::optional<std::uint64_t>, seed);
  /// Type of the images: kFloat (default) or kBFloat16.
  TORCH_ARG(c10::ScalarType, dtype) = c10::kFloat;
  /// Their layout: Contiguous (default) or ChannelsLast, which CPU convolutions prefer.
  TORCH_ARG(c10::MemoryFormat, memory_format) = c10::MemoryFormat::Contiguous;
  /// Where images and labels are wanted; default the CPU.
  TORCH_ARG(c10::Device, device) = c10::Device(c10::kCPU);
};

/// Some samples of a pass.
struct Batch {
  at::Tensor images;   ///< [B,3,H,W], as the options say
  at::Tensor labels;   ///< int64 [B] (of MixedBatches: float32 [B,classes]), on the same device
  at::Tensor indices;  ///< int64 [B], on the CPU: the samples' numbers in the dataset
};

namespace detail {

template <class T>
inline constexpr bool kIsPipeline = false;
template <class... Transforms>
inline constexpr bool kIsPipeline<transforms::Pipeline<Transforms...>> = true;

}  // namespace detail

/// A dataset in batches, transformed: each `for` over it is a new pass, with a new order and new
/// augmentation.
///
///     Batches batches(train, augment, BatchesOptions(32).shuffle(true).seed(1));
///     for (auto& batch : batches) { ... batch.images ... batch.labels ... }
///
/// The order of pass p, and what happens to sample i in it, depend on (seed, p, i) alone, so a run
/// can be repeated with another batch size or number of threads. A pass may be left early.
class Batches {
 public:
  /// The work done on a batch: raw images, key and indices to images.
  using Transform =
      std::function<at::Tensor(const at::Tensor&, Key, const at::Tensor&, transforms::ImageFormat)>;

  /// What MixUp or CutMix does to a batch: the pass's key, the batch's number, the images' size.
  using MixtureOf = std::function<kernels::Mixture(Key, std::int64_t, kernels::ImageSize)>;

  /// @param dataset    a dataset or a part of one
  /// @param transform  a transforms::Pipeline, or any callable (images, rt::Key, indices) -> images
  ///                   on uint8 [B,3,H,W] and int64 [B]
  /// @param options    batch size and the rest
  /// @throws c10::ValueError if the batch size is below 1 or the dataset is empty
  template <class Callable>
  Batches(Subset dataset, Callable transform, BatchesOptions options)
      : dataset_(std::move(dataset)),
        transform_(with_format(std::move(transform))),
        options_(options),
        sends_bytes_(runs_on<Callable>(options_.device())),
        seed_(seed_or_draw(options_.seed())) {
    TORCH_CHECK_VALUE(options_.batch_size() >= 1,
                      "Batches: wanted a batch size of at least 1, got ", options_.batch_size());
    TORCH_CHECK_VALUE(dataset_.indices().size(0) > 0,
                      "Batches: wanted a dataset with examples, got an empty one");
    TORCH_CHECK_VALUE(size() >= 1, "Batches: wanted at least one whole batch with drop_last, got ",
                      samples(), " examples for batches of ", options_.batch_size());
  }

  /// The number of batches in a pass.
  std::int64_t size() const {
    return options_.drop_last() ? samples() / options_.batch_size()
                                : (samples() - 1) / options_.batch_size() + 1;
  }
  /// What is cut into batches.
  const Subset& dataset() const { return dataset_; }
  /// How.
  const BatchesOptions& options() const { return options_; }

  /// The number of the pass that the next begin() starts: 0 at first.
  std::uint64_t next_pass() const { return next_pass_; }
  /// Makes `pass` the next one, to repeat a pass or to go on where another program stopped.
  void next_pass(std::uint64_t pass) { next_pass_ = pass; }

  /// "seed" and "next_pass", int64 [1], for a checkpoint.
  TensorDict state_dict() const {
    TensorDict state;
    for (const auto& [name, value] :
         {std::pair("seed", seed_), std::pair("next_pass", next_pass_)}) {
      state.insert(name,
                   regtorch::detail::to_tensor(std::vector{static_cast<std::int64_t>(value)}));
    }
    return state;
  }
  /// Makes the next pass the one that was next where state_dict() was called, with that seed.
  /// @throws c10::Error, with nothing changed, if `state` is not what that gives
  void load_state_dict(const TensorDict& state) {
    const regtorch::detail::StateReader reader("Batches", state);
    const auto seed = reader.integers("seed", 1)[0];
    next_pass_ = static_cast<std::uint64_t>(reader.counts("next_pass", 1)[0]);
    seed_ = static_cast<std::uint64_t>(seed);
  }

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

    Iterator(const Batches* batches, Key key, at::Tensor order, MixtureOf mixture)
        : batches_(batches), key_(key), order_(std::move(order)), mixture_(std::move(mixture)) {
      make();
    }
    Batch& operator*() { return batch_; }
    Batch* operator->() { return &batch_; }
    Iterator& operator++() {
      ++position_;
      make();
      return *this;
    }
    void operator++(int) { ++*this; }
    /// Goes over so many batches without making them.
    void skip(std::int64_t batches) {
      position_ += batches;
      make();
    }
    bool operator==(std::default_sentinel_t) const { return position_ >= batches_->size(); }
    /// @}

    /// The pass's.
    Key key() const { return key_; }
    /// The number of the batch in the pass, from 0.
    std::int64_t position() const { return position_; }

   private:
    void make() {
      if (position_ < batches_->size()) {
        const std::int64_t begin = position_ * batches_->options_.batch_size();
        const std::int64_t size =
            std::min(batches_->options_.batch_size(), batches_->samples() - begin);
        transforms::ImageFormat format{batches_->options_.dtype(),
                                       batches_->options_.memory_format()};
        if (mixture_) {
          format.mixture = [this](kernels::ImageSize images) {
            return mixture_(key_, position_, images);
          };
        }
        batch_ = batches_->make_batch(key_, order_.narrow(0, begin, size), format);
      }
    }

    const Batches* batches_;
    Key key_;
    at::Tensor order_;
    MixtureOf mixture_;
    std::int64_t position_ = 0;
    Batch batch_;
  };

  /// Starts a new pass.
  ///
  /// @param mixture  how images are mixed with the ones before them; default: not at all.
  ///                 MixedBatches is the way to have labels mixed too.
  Iterator begin(MixtureOf mixture = {}) {
    const Key key{seed_, next_pass_++};
    at::Tensor order = dataset_.indices().clone();  // batches show it to whoever wants to write
    if (options_.shuffle()) {
      shuffle_(order, key.stream(Purpose::kShuffle));
    }
    return Iterator(this, key, std::move(order), std::move(mixture));
  }
  /// Where every pass ends.
  std::default_sentinel_t end() const { return {}; }

 private:
  std::int64_t samples() const { return dataset_.indices().size(0); }

  /// Any callable as one that also does what the format says; a pipeline does so itself.
  template <class Callable>
  static Transform with_format(Callable transform) {
    if constexpr (detail::kIsPipeline<Callable>) {
      return transform;
    } else {
      return [transform = std::move(transform)](const at::Tensor& images, Key key,
                                                const at::Tensor& indices,
                                                const transforms::ImageFormat& format) mutable {
        const transforms::ImageFormat plain{format.dtype, format.memory_format};
        return mixed(formatted(transform, images, key, indices, plain), format);
      };
    }
  }

  /// What the callable makes of the images, in a format that does not mix.
  template <class Callable>
  static at::Tensor formatted(Callable& transform, const at::Tensor& images, Key key,
                              const at::Tensor& indices, const transforms::ImageFormat& format) {
    if constexpr (std::is_invocable_r_v<at::Tensor, Callable&, const at::Tensor&, Key,
                                        const at::Tensor&, transforms::ImageFormat>) {
      return transform(images, key, indices, format);
    } else {
      static_assert(
          std::is_invocable_r_v<at::Tensor, Callable&, const at::Tensor&, Key, const at::Tensor&>,
          "Batches wants a Pipeline or a callable "
          "(const torch::Tensor& images, rt::Key, const torch::Tensor& indices) -> "
          "torch::Tensor");
      const at::Tensor made = transform(images, key, indices);
      // Not to(dtype, layout): that leaves a tensor of the right type in whatever layout it has.
      return made.defined() ? made.to(format.dtype).contiguous(format.memory_format) : made;
    }
  }

  static at::Tensor mixed(const at::Tensor& images, const transforms::ImageFormat& format) {
    return images.defined() && format.mixture
               ? transforms::mix_images(images, format.mixture(transforms::image_size(images)))
               : images;
  }

  template <class Callable>
  static bool runs_on(c10::Device device) {
    if constexpr (detail::kIsPipeline<Callable>) {
      return Callable::runs_on(device);
    } else {
      return false;
    }
  }

  /// The samples' images or labels; where a pipeline transforms them on the device, there already:
  /// a quarter of the bytes, none of the work left to the CPU, and nothing waits.
  at::Tensor picked(const at::Tensor& all, const at::Tensor& indices) const {
    if (!sends_bytes_ || !all.is_cpu()) {
      return all.index_select(0, indices);
    }
    std::vector<std::int64_t> sizes = all.sizes().vec();
    sizes[0] = indices.size(0);
    at::Tensor here = at::empty(sizes, all.options().pinned_memory(true));
    at::index_select_out(here, all, 0, indices);
    return here.to(options_.device(), /*non_blocking=*/true);
  }

  Batch make_batch(Key key, const at::Tensor& indices,
                   const transforms::ImageFormat& format) const {
    const ImageDataset& all = dataset_.dataset();
    const at::Tensor images = transform_(picked(all.images(), indices), key, indices, format);
    TORCH_CHECK_VALUE(images.defined() && images.dim() >= 1 && images.size(0) == indices.size(0),
                      "Batches: wanted ", indices.size(0), " images from the transform, got ",
                      describe(images));
    return {images.to(options_.device()), picked(all.targets(), indices).to(options_.device()),
            indices};
  }

  Subset dataset_;
  Transform transform_;
  BatchesOptions options_;
  bool sends_bytes_;
  std::uint64_t seed_;
  std::uint64_t next_pass_ = 0;
};

}  // namespace regtorch::data
