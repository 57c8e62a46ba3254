#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "regtorch/core/device_memory.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/image_records.hpp"

namespace regtorch::transforms::detail {

/// A pipeline on the device where the images are, without waiting for it: the CPU decides, and the
/// device's kernel does the rest.
///
/// @param images  uint8 [N,3,H,W], any strides
/// @param ids     int64 [N], on the CPU, contiguous
/// @param dtype   kFloat or kBFloat16
template <class... Transforms>
at::Tensor transformed_on_device(const kernels::ImageRecords<Transforms...>& records,
                                 const at::Tensor& images, const at::Tensor& ids,
                                 kernels::RandomStream stream, c10::ScalarType dtype,
                                 c10::MemoryFormat memory_format) {
  const std::int64_t count = images.size(0);
  // The allocator of pinned memory gives it to nobody else before the copy is over.
  const at::Tensor here = at::empty({static_cast<std::int64_t>(records.bytes(count))},
                                    at::TensorOptions(at::kByte).pinned_memory(images.is_cuda()));
  void* const made = here.mutable_data_ptr();
  const auto* from = ids.const_data_ptr<std::int64_t>();
  constexpr std::int64_t kImagesInBlock = 64;  // about 20 us of work
  parallel_for(count, kImagesInBlock, [&](std::int64_t begin, std::int64_t end) {
    records.make(made, count, from, begin, end, stream);
  });
  const at::Tensor copy = here.to(images.device(), /*non_blocking=*/true);
  kernels::DeviceImages batch = records.images(made, copy.const_data_ptr(), count);

  const at::Tensor source = images.contiguous();
  at::Tensor result = at::empty({count, 3, batch.out.height, batch.out.width},
                                images.options().dtype(dtype), memory_format);
  batch.source = source.const_data_ptr<std::uint8_t>();
  batch.result = result.mutable_data_ptr();
  batch.type = regtorch::detail::element_type(dtype);
  batch.channels_last = memory_format == c10::MemoryFormat::ChannelsLast;
  kernels::device_kernels().transform_images(regtorch::detail::device_number(images), batch);
  return result;
}

}  // namespace regtorch::transforms::detail
