#pragma once

namespace regtorch::kernels {

/// How elements lie in a device's memory.
enum class ElementType { kFloat32, kFloat64, kFloat16, kBFloat16 };

}  // namespace regtorch::kernels
