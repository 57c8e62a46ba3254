#pragma once

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
  static REGTORCH_INLINE float value(float u) { return u <= 0 ? 0 : u; }
  static REGTORCH_INLINE float gradient(float u, float dy) { return u <= 0 ? 0 : dy; }
};

}  // namespace regtorch::kernels
