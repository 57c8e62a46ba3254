#pragma once

#include <bit>
#include <cstdint>

#include "regtorch/kernels/gelu.hpp"
#include "regtorch/kernels/simd.hpp"

/// Activations, as the passes of batch_norm.hpp take them: value(u), and gradient(u, dy), which is
/// dy times the derivative at u. Without a branch, so that loops of them vectorise.
namespace regtorch::kernels {

/// u itself, where there is no activation.
struct Identity {
  static REGTORCH_INLINE float value(float u) { return u; }
  static REGTORCH_INLINE float gradient(float /*u*/, float dy) { return dy; }
};

/// u P(X <= u), X ~ N(0, 1).
struct Gelu {
  static REGTORCH_INLINE float value(float u) { return u * normal_at(u).cdf; }
  static REGTORCH_INLINE float gradient(float u, float dy) {
    const Normal normal = normal_at(u);
    return dy * (normal.cdf + u * normal.density);
  }
};

/// max(u, 0). What it makes of u has its derivative too, so that gradient may be given either. nan
/// passes both ways, as in LibTorch.
struct Relu {
  static REGTORCH_INLINE float value(float u) { return where_positive(u, u); }
  static REGTORCH_INLINE float gradient(float u, float dy) { return where_positive(u, dy); }

 private:
  /// A mask instead of u <= 0 ? 0 : of, of which g++ at -O2 makes a jump over what follows.
  static REGTORCH_INLINE float where_positive(float u, float of) {
    const std::uint32_t mask = 0u - static_cast<std::uint32_t>(!(u <= 0));
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(of) & mask);
  }
};

}  // namespace regtorch::kernels
