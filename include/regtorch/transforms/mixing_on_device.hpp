#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include "regtorch/core/device_memory.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/mixture.hpp"

namespace regtorch::transforms::detail {

/// Whether a kernel may mix these images: they are numbers in memory, and no gradient is wanted
/// (with one ATen mixes them).
inline bool are_plain(const at::Tensor& images) {
  return images.layout() == at::kStrided && images.numel() > 0 &&
         !(at::GradMode::is_enabled() && images.requires_grad());
}

/// The box in one plane of images that are dense in their memory format.
inline kernels::PlaneBox plane_box(const at::Tensor& images, const kernels::ImageBox& box) {
  // What stands beside a pixel in memory: the next column, or its other channels.
  const bool channels_last = images.suggest_memory_format() != at::MemoryFormat::Contiguous;
  const std::int64_t pixel =
      static_cast<std::int64_t>(images.element_size()) * (channels_last ? images.size(1) : 1);
  return kernels::PlaneBox::make(box, images.size(-2), images.size(-1), pixel);
}

/// Whether the kernels of the images' device can mix them so.
inline bool device_mixes(const at::Tensor& images, const kernels::Mixture& mixture) {
  if (!images.is_cuda() || !are_plain(images)) {
    return false;
  }
  const kernels::DeviceKernels& kernels = kernels::device_kernels();
  const auto type = images.scalar_type();
  const bool three = type == at::kFloat || type == at::kHalf || type == at::kBFloat16;
  return mixture.box.has_value()
             ? kernels.paste_neighbours != nullptr && (three || type == at::kDouble)
             : kernels.blend_neighbours != nullptr && three;
}

/// Those kernels' mixture.
inline at::Tensor mixed_on_device(const at::Tensor& images, const kernels::Mixture& mixture) {
  const at::Tensor in = images.contiguous(images.suggest_memory_format());
  at::Tensor out = at::empty_like(in);
  const kernels::DeviceKernels& kernels = kernels::device_kernels();
  const int device = regtorch::detail::device_number(in);
  const std::int64_t sample = in.numel() / in.size(0);
  if (mixture.box.has_value()) {
    kernels.paste_neighbours(device, in.const_data_ptr(), out.mutable_data_ptr(), in.numel(),
                             sample, static_cast<int>(in.element_size()),
                             plane_box(in, *mixture.box));
  } else {
    kernels.blend_neighbours(device, in.const_data_ptr(), out.mutable_data_ptr(), in.numel(),
                             sample, regtorch::detail::element_type(in.scalar_type()),
                             kernels::Blend(mixture.own));
  }
  return out;
}

}  // namespace regtorch::transforms::detail
