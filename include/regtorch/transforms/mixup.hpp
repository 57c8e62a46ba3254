#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/roll.h>

#include "regtorch/core/key.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/beta.hpp"
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
    const double lambda = this->lambda(key, batch);
    return {blended(images, lambda), detail::mixed_targets("MixUp", labels, num_classes_, lambda)};
  }

  /// The lambda of batch number `batch`: a function of (key, batch) alone.
  double lambda(Key key, std::int64_t batch) const {
    kernels::RandomWords random(key.stream(Purpose::kMixing), static_cast<std::uint64_t>(batch));
    return kernels::beta_number(alpha_, alpha_, random);
  }

 private:
  static at::Tensor blended(const at::Tensor& images, double lambda) {
    if (detail::are_plain_samples(images)) {
      if (images.scalar_type() == at::kFloat) {
        return blended_in_one_pass<float>(images, lambda);
      }
      if (images.scalar_type() == at::kBFloat16) {
        return blended_in_one_pass<std::uint16_t>(images, lambda);
      }
    }
    return at::lerp(at::roll(images, 1, 0), images, lambda)
        .contiguous(images.suggest_memory_format());
  }
  template <class Value>
  static at::Tensor blended_in_one_pass(const at::Tensor& images, double lambda) {
    at::Tensor result = at::empty_like(images);
    const auto* in = static_cast<const Value*>(images.const_data_ptr());
    auto* out = static_cast<Value*>(result.data_ptr());
    const std::int64_t size = images.numel();
    const std::int64_t sample = size / images.size(0);
    const kernels::Blend blend(lambda);
    const kernels::Isa isa = kernels::active_isa();
    constexpr std::int64_t kNumbersInBlock = 1 << 15;  // some 10 us of work
    parallel_for(size, kNumbersInBlock, [&](std::int64_t begin, std::int64_t end) {
      // The sample before lies right before, but for the first one.
      const std::int64_t first = std::clamp(sample, begin, end);
      const auto blend_from = [&](std::int64_t i, std::int64_t before, std::int64_t count) {
        kernels::blend_arrays(in + i, in + before, out + i, count, blend, isa);
      };
      if (begin < first) {
        blend_from(begin, begin + size - sample, first - begin);
      }
      if (first < end) {
        blend_from(first, first - sample, end - first);
      }
    });
    return result;
  }

  std::int64_t num_classes_;
  double alpha_;
};

}  // namespace regtorch::transforms
