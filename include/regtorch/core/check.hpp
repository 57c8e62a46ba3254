#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

namespace regtorch {

/// "uint8 [32, 3, 32, 32] on cpu", or "an undefined tensor": what came, for error messages.
inline std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) {
    return "an undefined tensor";
  }
  return c10::str(c10::toString(tensor.scalar_type()), " ", tensor.sizes(), " on ",
                  tensor.device());
}

/// Throws c10::ValueError unless `images` is uint8 [N,3,H,W] with H and W at least 1; `who` begins
/// the message.
inline void check_images(const char* who, const at::Tensor& images) {
  TORCH_CHECK_VALUE(images.defined() && images.scalar_type() == at::kByte && images.dim() == 4 &&
                        images.size(1) == 3 && images.size(2) >= 1 && images.size(3) >= 1,
                    who, ": wanted images of type Byte (uint8) and shape [N, 3, H, W], got ",
                    describe(images));
}

/// Throws c10::ValueError unless `images` is [N,3,side,side]: what models check.
inline void check_square_images(const char* who, const at::Tensor& images, std::int64_t side) {
  TORCH_CHECK_VALUE(images.defined() && images.dim() == 4 && images.size(1) == 3 &&
                        images.size(2) == side && images.size(3) == side,
                    who, ": wanted images of shape [N, 3, ", side, ", ", side, "], got ",
                    describe(images));
}

/// Throws c10::ValueError unless `indices` is int64 [N].
inline void check_indices(const char* who, const at::Tensor& indices) {
  TORCH_CHECK_VALUE(indices.defined() && indices.scalar_type() == at::kLong && indices.dim() == 1,
                    who, ": wanted indices of type Long (int64) and shape [N], got ",
                    describe(indices));
}

}  // namespace regtorch
