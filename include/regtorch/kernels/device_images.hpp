#pragma once

#include <cstdint>

#include "regtorch/kernels/element_type.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/pixel_operation.hpp"

namespace regtorch::kernels {

/// A batch for the image pipeline of a device. All pointers are the device's.
///
/// What is random is decided on the CPU, in kernels::ImageRecords, and comes here as
/// - `operations` [count, operation_count], for each image the ones done to its pixels, in order;
/// - `lines` [count, table_count, out.height + out.width], for each image tables that say for each
///   row, then for each column, of the output which one it is at an earlier place of the pipeline,
///   or kOutside. A table's number of -1 means that none is needed: they are the output's own.
struct DeviceImages {
  const std::uint8_t* source = nullptr;  ///< [count,3,in.height,in.width]
  void* result = nullptr;  ///< [count,3,out.height,out.width], or that in channels-last order
  std::int64_t count = 0;
  ImageSize in;
  ImageSize out;                             ///< sides below 2^15, as those of `in`
  ElementType type = ElementType::kFloat32;  ///< of the result: this or kBFloat16
  bool channels_last = false;
  const PixelOperation* operations = nullptr;
  std::int32_t operation_count = 0;
  bool has_noise = false;  ///< whether one of them is PixelOperation::noise
  const std::int16_t* lines = nullptr;
  std::int32_t table_count = 0;
  std::int32_t source_table = -1;  ///< which rows and columns of the source they are
};

}  // namespace regtorch::kernels
