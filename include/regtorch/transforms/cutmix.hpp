#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/roll.h>

#include "regtorch/core/key.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/beta.hpp"
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

  /// @param images  [B,...,H,W], floating-point
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
    const Box box = this->box(key, batch, images.size(-2), images.size(-1));
    const double pasted = static_cast<double>((box.bottom - box.top) * (box.right - box.left)) /
                          static_cast<double>(images.size(-2) * images.size(-1));
    return {detail::are_plain_samples(images) ? pasted_in_one_pass(images, box)
                                              : pasted_by_aten(images, box),
            detail::mixed_targets("CutMix", labels, num_classes_, 1 - pasted)};
  }

  /// Rows [top, bottom) and columns [left, right).
  struct Box {
    std::int64_t top, bottom, left, right;
  };
  /// The box of batch number `batch`: a function of (key, batch) and the size alone.
  Box box(Key key, std::int64_t batch, std::int64_t height, std::int64_t width) const {
    kernels::RandomWords random(key.stream(Purpose::kMixing), static_cast<std::uint64_t>(batch));
    const double half = std::sqrt(1 - kernels::beta_number(alpha_, alpha_, random)) / 2;
    const auto span = [&](std::int64_t side, std::int64_t& begin, std::int64_t& end) {
      const std::int64_t centre = kernels::bounded(random.next(), static_cast<std::uint32_t>(side));
      const auto reach = static_cast<std::int64_t>(half * static_cast<double>(side));
      begin = std::max<std::int64_t>(centre - reach, 0);
      end = std::min(centre + reach, side);
    };
    Box box{};
    span(height, box.top, box.bottom);
    span(width, box.left, box.right);
    return box;
  }

 private:
  static at::Tensor pasted_by_aten(const at::Tensor& images, const Box& box) {
    at::Tensor mixed = images.clone();
    const auto cut = [&](const at::Tensor& of) {
      return of.narrow(-2, box.top, box.bottom - box.top)
          .narrow(-1, box.left, box.right - box.left);
    };
    cut(mixed).copy_(at::roll(cut(images), 1, 0));
    return mixed;
  }
  static at::Tensor pasted_in_one_pass(const at::Tensor& images, const Box& box) {
    at::Tensor result = at::empty_like(images);
    const auto* in = static_cast<const std::uint8_t*>(images.const_data_ptr());
    auto* out = static_cast<std::uint8_t*>(result.data_ptr());
    // What stands beside a pixel in memory: the next column, or its other channels.
    const bool channels_last = images.suggest_memory_format() != at::MemoryFormat::Contiguous;
    const std::int64_t pixel =
        static_cast<std::int64_t>(images.element_size()) * (channels_last ? images.size(1) : 1);
    const std::int64_t plane = pixel * images.size(-2) * images.size(-1);
    const std::int64_t planes = static_cast<std::int64_t>(images.nbytes()) / plane;
    const auto bytes = [&](std::int64_t pixels) {
      return static_cast<std::size_t>(pixels * pixel);
    };
    const kernels::PlaneBox in_plane{static_cast<std::size_t>(plane),
                                     bytes(images.size(-1)),
                                     static_cast<std::size_t>(box.top),
                                     static_cast<std::size_t>(box.bottom),
                                     bytes(box.left),
                                     bytes(box.right)};
    constexpr std::int64_t kBytesInBlock = 1 << 17;  // some 10 us of work
    parallel_for(planes, std::max<std::int64_t>(kBytesInBlock / plane, 1),
                 [&](std::int64_t begin, std::int64_t end) {
                   kernels::paste_boxes(in, out, in_plane, planes, planes / images.size(0), begin,
                                        end);
                 });
    return result;
  }

  std::int64_t num_classes_;
  double alpha_;
};

}  // namespace regtorch::transforms
