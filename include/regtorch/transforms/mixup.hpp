#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

#include "regtorch/core/key.hpp"
#include "regtorch/kernels/beta.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/mixing.hpp"
#include "regtorch/transforms/mixing.hpp"

namespace regtorch::transforms {

/// MixUp: trains on lines between samples. Each sample is mixed with the one before it in the batch
/// (the first with the last), and so are their labels:
///
///     x_i <- lambda x_i + (1 - lambda) x_(i-1)
///     t_i  = lambda onehot(y_i) + (1 - lambda) onehot(y_(i-1))
///
/// with one lambda ~ Beta(alpha, alpha) a batch.
///
///     rt::transforms::MixUp mix(/*num_classes=*/10, /*alpha=*/0.2);
///     auto [images, targets] = mix(batch.images, batch.labels);
///     loss = criterion(model(images), targets);        // cross entropy of probabilities
///
/// data::MixedBatches does this to every batch of a training set.
///
/// Source: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR
/// 2018; the pairs are those of torchvision.transforms.v2.MixUp.
class MixUp {
 public:
  /// @param num_classes  length of a target, at least 1
  /// @param alpha        at least 1e-6, finite; default 1: lambda is uniform in [0, 1]
  /// @throws c10::ValueError for others
  explicit MixUp(std::int64_t num_classes, double alpha = 1.0)
      : num_classes_(num_classes), alpha_(alpha) {
    detail::check_mixing("MixUp", num_classes, alpha);
  }

  /// @param images  [B,...], floating-point
  /// @param labels  int64 [B], each in [0, num_classes)
  /// @param seed    default: drawn from LibTorch's default CPU generator
  /// @throws c10::ValueError for other types or shapes, or for a label out of range (on CUDA a
  ///         device-side assert)
  Mixed operator()(const at::Tensor& images, const at::Tensor& labels,
                   std::optional<std::uint64_t> seed = std::nullopt) const {
    return (*this)(images, labels, Key{seed_or_draw(seed)}, 0);
  }
  /// The same for batch number `batch` of a pass.
  Mixed operator()(const at::Tensor& images, const at::Tensor& labels, Key key,
                   std::int64_t batch) const {
    detail::check_mixable("MixUp", images, labels, 1);
    const kernels::Mixture mixture = this->mixture(key, batch, {});
    return {mix_images(images, mixture), targets(labels, mixture)};
  }

  /// What is done to batch number `batch`, of images of any size: what data::MixedBatches asks for.
  kernels::Mixture mixture(Key key, std::int64_t batch, kernels::ImageSize) const {
    return {lambda(key, batch), std::nullopt};
  }
  /// float32 [B,num_classes]: the labels of such a batch.
  at::Tensor targets(const at::Tensor& labels, const kernels::Mixture& mixture) const {
    return detail::mixed_targets("MixUp", labels, num_classes_, mixture.own);
  }

  /// The lambda of batch number `batch`: a function of (key, batch) alone.
  double lambda(Key key, std::int64_t batch) const {
    kernels::RandomWords random(key.stream(Purpose::kMixing), static_cast<std::uint64_t>(batch));
    return kernels::beta_number(alpha_, alpha_, random);
  }

 private:
  std::int64_t num_classes_;
  double alpha_;
};

}  // namespace regtorch::transforms
