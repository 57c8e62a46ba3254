#pragma once

#include <cstdint>

#include "regtorch/kernels/disturb_rule.hpp"
#include "regtorch/kernels/philox.hpp"

/// How a piece reaches a GPU kernel without including one: a table of functions, empty until the
/// component regtorch::cuda, whose one .cu file every program that links it compiles, fills it
/// while the program is loaded. A piece with a CUDA tensor calls what the table has, and where it
/// has nothing LibTorch's own operators.
namespace regtorch::kernels {

/// How elements lie in a device's memory.
enum class ElementType { kFloat32, kFloat64, kFloat16, kBFloat16 };

/// Each function starts its kernel on LibTorch's current stream of device number `device`, where
/// all pointers point to unless they say otherwise, and waits for nothing. What its arguments mean
/// is said where the CPU has the same function. Throws std::runtime_error if a launch is refused.
struct DeviceKernels {
  /// disturb_labels; a label out of range ends in a device-side assertion.
  /// @param label_size  4 or 8 bytes
  void (*disturb_labels)(int device, const void* in, void* out, std::int64_t count, int label_size,
                         std::int64_t keep, DisturbRule rule, RandomStream stream) = nullptr;
  /// disturb_values.
  void (*disturb_values)(int device, const void* in, void* out, std::int64_t count,
                         ElementType type, std::uint64_t yes, double sigma,
                         RandomStream stream) = nullptr;
};

/// The program's table.
inline DeviceKernels& device_kernels() {
  static DeviceKernels table;  // filled by initialisers, which run in any order
  return table;
}

}  // namespace regtorch::kernels
