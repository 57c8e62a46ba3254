#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/mixing.hpp"
#include "regtorch/transforms/mixing_on_device.hpp"

namespace regtorch::transforms {

/// A batch in which each sample is a mixture of two.
struct Mixed {
  at::Tensor images;   ///< of the type and shape that came
  at::Tensor targets;  ///< float32 [B,num_classes]: the probability of each class
};

namespace detail {

/// Throws c10::ValueError unless there are classes, and alpha is a parameter of a Beta distribution
/// (below 1e-6 float64 has no numbers for it).
inline void check_mixing(const char* who, std::int64_t num_classes, double alpha) {
  TORCH_CHECK_VALUE(num_classes >= 1, who, ": wanted at least 1 class, got ", num_classes);
  TORCH_CHECK_VALUE(alpha >= 1e-6 && std::isfinite(alpha), who,
                    ": wanted a finite alpha of at least 1e-6, got ", alpha);
}

/// Throws c10::ValueError unless `images` is floating-point [B,...] of at least `least_dims`
/// dimensions, and `labels` int64 [B] on the same device.
inline void check_mixable(const char* who, const at::Tensor& images, const at::Tensor& labels,
                          std::int64_t least_dims) {
  TORCH_CHECK_VALUE(images.defined() && images.is_floating_point() && images.dim() >= least_dims,
                    who, ": wanted floating-point images of at least ", least_dims,
                    " dimensions, the first of them the samples', got ", describe(images));
  TORCH_CHECK_VALUE(labels.defined() && labels.scalar_type() == at::kLong && labels.dim() == 1 &&
                        labels.size(0) == images.size(0) && labels.device() == images.device(),
                    who, ": wanted labels of type Long (int64) and shape [", images.size(0),
                    "] on ", images.device(), ", got ", describe(labels));
}

/// Throws c10::ValueError unless the mixture is one of images of that size.
inline void check_mixture(const char* who, const kernels::Mixture& mixture,
                          kernels::ImageSize size) {
  TORCH_CHECK_VALUE(mixture.own >= 0 && mixture.own <= 1, who,
                    ": wanted a mixture with a share in [0, 1], got ", mixture.own);
  if (mixture.box.has_value()) {
    const auto& box = *mixture.box;
    TORCH_CHECK_VALUE(0 <= box.top && box.top <= box.bottom && box.bottom <= size.height &&
                          0 <= box.left && box.left <= box.right && box.right <= size.width,
                      who, ": wanted a box in images of ", size.height, "x", size.width,
                      ", got rows ", box.top, " to ", box.bottom, " and columns ", box.left, " to ",
                      box.right);
  }
}

/// Whether the CPU's kernel may mix these images: they are plain, and their samples lie one after
/// the other.
inline bool are_plain_samples(const at::Tensor& images) {
  return images.is_cpu() && are_plain(images) &&
         images.is_contiguous(images.suggest_memory_format());
}

/// Calls mix(own, before, count) for pieces of a batch that lies in memory as `size` items in all,
/// `sample` of them a sample: `count` items from `own` on, and those of the sample before from
/// `before` on. On all threads, in blocks of `block` items.
template <class Mix>
void for_each_neighbour(std::int64_t size, std::int64_t sample, std::int64_t block,
                        const Mix& mix) {
  parallel_for(size, block, [&](std::int64_t begin, std::int64_t end) {
    // The sample before lies right before, but for the first one.
    const std::int64_t first = std::clamp(sample, begin, end);
    if (begin < first) {
      mix(begin, begin + size - sample, first - begin);
    }
    if (first < end) {
      mix(first, first - sample, end - first);
    }
  });
}

/// @tparam Value  float, or std::uint16_t for bfloat16
template <class Value>
at::Tensor blend_in_one_pass(const at::Tensor& images, kernels::Blend blend) {
  at::Tensor result = at::empty_like(images);
  const auto* in = static_cast<const Value*>(images.const_data_ptr());
  auto* out = static_cast<Value*>(result.data_ptr());
  const kernels::Isa isa = kernels::active_isa();
  constexpr std::int64_t kNumbersInBlock = 1 << 15;  // some 10 us of work
  for_each_neighbour(images.numel(), images.numel() / images.size(0), kNumbersInBlock,
                     [&](std::int64_t own, std::int64_t before, std::int64_t count) {
                       kernels::blend_arrays(in + own, in + before, out + own, count, blend, isa);
                     });
  return result;
}

inline at::Tensor paste_in_one_pass(const at::Tensor& images, const kernels::ImageBox& box) {
  at::Tensor result = at::empty_like(images);
  const auto* in = static_cast<const std::uint8_t*>(images.const_data_ptr());
  auto* out = static_cast<std::uint8_t*>(result.data_ptr());
  const kernels::PlaneBox in_plane = plane_box(images, box);
  const auto plane = static_cast<std::int64_t>(in_plane.plane);
  const std::int64_t planes = static_cast<std::int64_t>(images.nbytes()) / plane;
  constexpr std::int64_t kBytesInBlock = 1 << 17;  // some 10 us of work
  for_each_neighbour(planes, planes / images.size(0),
                     std::max<std::int64_t>(kBytesInBlock / plane, 1),
                     [&](std::int64_t own, std::int64_t before, std::int64_t count) {
                       for (std::int64_t i = 0; i < count; ++i) {
                         kernels::paste_box(in + (own + i) * plane, in + (before + i) * plane,
                                            out + (own + i) * plane, in_plane);
                       }
                     });
  return result;
}

inline at::Tensor paste_by_aten(const at::Tensor& images, const kernels::ImageBox& box) {
  at::Tensor mixed = images.clone();
  const auto cut = [&](const at::Tensor& of) {
    return of.narrow(-2, box.top, box.bottom - box.top).narrow(-1, box.left, box.right - box.left);
  };
  cut(mixed).copy_(at::roll(cut(images), 1, 0));
  return mixed;
}

/// lambda * onehot(label) + (1 - lambda) * onehot(label of the sample before), in float32.
/// Throws c10::ValueError for a label out of range (on CUDA a device-side assert); `who` begins
/// the message.
inline at::Tensor mixed_targets(const char* who, const at::Tensor& labels, std::int64_t num_classes,
                                double lambda) {
  if (!labels.is_cpu()) {
    at::Tensor targets =
        at::zeros({labels.size(0), num_classes}, labels.options().dtype(at::kFloat));
    targets.scatter_(1, labels.unsqueeze(1), 1.0);  // checks the range without waiting
    return at::lerp(at::roll(targets, 1, 0), targets, lambda);
  }
  const at::Tensor classes = labels.contiguous();
  const std::int64_t batch = labels.size(0);
  at::Tensor targets = at::empty({batch, num_classes}, labels.options().dtype(at::kFloat));
  const auto* from = classes.const_data_ptr<std::int64_t>();
  float* to = targets.data_ptr<float>();
  const kernels::Blend blend(lambda);
  constexpr std::int64_t kNumbersInBlock = 1 << 16;
  const std::int64_t block = std::max<std::int64_t>(kNumbersInBlock / num_classes, 1);
  parallel_for(batch, block, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t bad =
        kernels::blend_targets(from, to, batch, num_classes, blend, begin, end);
    TORCH_CHECK_VALUE(bad < 0, who, ": wanted labels in [0, ", num_classes, "), got ", from[bad],
                      " at ", bad);
  });
  return targets;
}

}  // namespace detail

/// Height and width of images [B,...,H,W]; zeros for samples that have none.
inline kernels::ImageSize image_size(const at::Tensor& images) {
  if (images.dim() < 3) {
    return {};
  }
  return {static_cast<int>(images.size(-2)), static_cast<int>(images.size(-1))};
}

/// Each image mixed with the one before it in the batch, the first with the last.
///
/// @param images   [B,...], floating-point; [B,...,H,W] for a mixture with a box
/// @param mixture  of MixUp or CutMix
/// @return new images of the same type, shape and device, channels last if they were
/// @throws c10::ValueError for other images, a share outside [0, 1], a box that is not in them
inline at::Tensor mix_images(const at::Tensor& images, const kernels::Mixture& mixture) {
  TORCH_CHECK_VALUE(images.defined() && images.is_floating_point() && images.dim() >= 1,
                    "mix_images: wanted floating-point images [B, ...], got ", describe(images));
  TORCH_CHECK_VALUE(!mixture.box.has_value() || images.dim() >= 3,
                    "mix_images: wanted images [B, ..., H, W] for a box, got ", describe(images));
  detail::check_mixture("mix_images", mixture, image_size(images));
  if (detail::device_mixes(images, mixture)) {
    return detail::mixed_on_device(images, mixture);
  }
  const bool plain = detail::are_plain_samples(images);
  if (mixture.box.has_value()) {
    return plain ? detail::paste_in_one_pass(images, *mixture.box)
                 : detail::paste_by_aten(images, *mixture.box);
  }
  const kernels::Blend blend(mixture.own);
  if (plain && images.scalar_type() == at::kFloat) {
    return detail::blend_in_one_pass<float>(images, blend);
  }
  if (plain && images.scalar_type() == at::kBFloat16) {
    return detail::blend_in_one_pass<std::uint16_t>(images, blend);
  }
  return at::lerp(at::roll(images, 1, 0), images, mixture.own)
      .contiguous(images.suggest_memory_format());
}

}  // namespace regtorch::transforms
