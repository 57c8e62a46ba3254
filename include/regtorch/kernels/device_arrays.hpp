#pragma once

#include <cstdint>

/// Lists of arrays that one call of kernels::DeviceKernels works on, each in a device's memory, the
/// list itself in the host's. Arrays may be empty, and lie at any multiple of 4 bytes.
namespace regtorch::kernels {

/// How many elements of an array one block of threads takes.
inline constexpr std::int64_t kDeviceChunk = 4096;

/// How many blocks take an array of so many elements.
constexpr std::int64_t device_chunks(std::int64_t size) {
  return size / kDeviceChunk + (size % kDeviceChunk != 0 ? 1 : 0);
}

/// A parameter and what steps with it.
struct StepArrays {
  float* p = nullptr;        ///< the parameter
  const float* g = nullptr;  ///< its gradient
  float* first = nullptr;    ///< m of Adam, b of SGD with momentum
  float* second = nullptr;   ///< v of Adam
  std::int64_t size = 0;

  constexpr std::int64_t chunks() const { return device_chunks(size); }
};

/// Weights or gradients to be read, or read and written.
struct WeightArrays {
  const float* in = nullptr;
  float* out = nullptr;  ///< where a function writes; may be `in`
  std::int64_t size = 0;

  constexpr std::int64_t chunks() const { return device_chunks(size); }
};

/// A weight whose slices along its first dimension are pieces of memory, one behind the other.
struct FilterArrays {
  /// Filters longer than that have a block each: without it few long ones, such as the last
  /// layer's, would leave most of a device idle. Of others a block takes several, a warp each.
  static constexpr std::int64_t kMostOfWarp = 2048;
  static constexpr std::int64_t kWarpsOfBlock = 8;

  float* w = nullptr;
  std::int64_t filters = 0;
  std::int64_t size = 0;  ///< of a filter

  constexpr bool take_a_block() const { return size > kMostOfWarp; }
  constexpr std::int64_t chunks() const {
    if (size == 0 || take_a_block()) {
      return size == 0 ? 0 : filters;
    }
    return filters / kWarpsOfBlock + (filters % kWarpsOfBlock != 0 ? 1 : 0);
  }
};

/// Which penalties there are, and how strong: l1 * sum |x| + l2 * sum x^2. One of strength 0 is not
/// finite where a weight isn't; one that there is not is.
struct PenaltyRule {
  double l1 = 0;
  double l2 = 0;
  bool has_l1 = false;
  bool has_l2 = false;
};

}  // namespace regtorch::kernels
