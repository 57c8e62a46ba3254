#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "regtorch/kernels/host_device.hpp"
#include "regtorch/kernels/philox.hpp"

namespace regtorch::kernels {

/// 64 random bits as a number in (0, 1], never 0, so that it has a logarithm.
REGTORCH_HOST_DEVICE inline double unit_interval(std::uint32_t upper, std::uint32_t lower) {
  return (static_cast<double>((std::uint64_t{upper} << 32) | lower) + 0.5) * 0x1p-64;
}

/// One number of N(0, 1) from a block, in float64. The logarithm and the cosine are the C
/// library's, and CUDA's differ from them in the last places.
///
/// Source: Box, Muller, "A note on the generation of random normal deviates", 1958.
REGTORCH_HOST_DEVICE inline double standard_normal(const PhiloxBlock& block) {
  const double radius = std::sqrt(-2 * std::log(unit_interval(block[0], block[1])));
  return radius * std::cos(2 * std::numbers::pi * unit_interval(block[2], block[3]));
}

}  // namespace regtorch::kernels
