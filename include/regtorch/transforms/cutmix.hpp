#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include "regtorch/core/key.hpp"
#include "regtorch/kernels/beta.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/mixing.hpp"
#include "regtorch/transforms/mixing.hpp"

namespace regtorch::transforms {

/// CutMix: pastes a box of the sample before it in the batch (for the first: the last) into each
/// image, and mixes their labels by area.
///
/// For one lambda ~ Beta(alpha, alpha) a batch, the box reaches floor(sqrt(1 - lambda) / 2 * H)
/// rows up and down, and floor(sqrt(1 - lambda) / 2 * W) columns left and right, of a uniformly
/// random pixel; what of it lies outside is cut off. With the share lambda' of the image that is
/// left,
///
///     t_i = lambda' onehot(y_i) + (1 - lambda') onehot(y_(i-1))
///
/// Used as MixUp is.
///
/// Source: Yun, Han, Oh, Chun, Choe, Yoo, "CutMix: regularization strategy to train strong
/// classifiers with localizable features", ICCV 2019; box and pairs are those of
/// torchvision.transforms.v2.CutMix.
class CutMix {
 public:
  /// @param num_classes  length of a target, at least 1
  /// @param alpha        at least 1e-6, finite; default 1: lambda is uniform in [0, 1]
  /// @throws c10::ValueError for others
  explicit CutMix(std::int64_t num_classes, double alpha = 1.0)
      : num_classes_(num_classes), alpha_(alpha) {
    detail::check_mixing("CutMix", num_classes, alpha);
  }

  /// @param images  [B,...,H,W], floating-point, H and W at least 1
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
    detail::check_mixable("CutMix", images, labels, 3);
    const kernels::Mixture mixture = this->mixture(key, batch, image_size(images));
    return {mix_images(images, mixture), targets(labels, mixture)};
  }

  /// What is done to batch number `batch`, of images of this size: what data::MixedBatches asks
  /// for.
  kernels::Mixture mixture(Key key, std::int64_t batch, kernels::ImageSize size) const {
    TORCH_CHECK_VALUE(size.height > 0 && size.width > 0,
                      "CutMix: wanted images [..., H, W] with pixels, got ", size.height, "x",
                      size.width);
    const kernels::ImageBox box = this->box(key, batch, size.height, size.width);
    const double pasted = static_cast<double>((box.bottom - box.top) * (box.right - box.left)) /
                          (static_cast<double>(size.height) * size.width);
    return {1 - pasted, box};
  }
  /// float32 [B,num_classes]: the labels of such a batch.
  at::Tensor targets(const at::Tensor& labels, const kernels::Mixture& mixture) const {
    return detail::mixed_targets("CutMix", labels, num_classes_, mixture.own);
  }

  /// The box of batch number `batch`: a function of (key, batch) and the size alone.
  kernels::ImageBox box(Key key, std::int64_t batch, std::int64_t height,
                        std::int64_t width) const {
    kernels::RandomWords random(key.stream(Purpose::kMixing), static_cast<std::uint64_t>(batch));
    const double half = std::sqrt(1 - kernels::beta_number(alpha_, alpha_, random)) / 2;
    const auto span = [&](std::int64_t side, std::int64_t& begin, std::int64_t& end) {
      const std::int64_t centre = kernels::bounded(random.next(), static_cast<std::uint32_t>(side));
      const auto reach = static_cast<std::int64_t>(half * static_cast<double>(side));
      begin = std::max<std::int64_t>(centre - reach, 0);
      end = std::min(centre + reach, side);
    };
    kernels::ImageBox box;
    span(height, box.top, box.bottom);
    span(width, box.left, box.right);
    return box;
  }

 private:
  std::int64_t num_classes_;
  double alpha_;
};

}  // namespace regtorch::transforms
