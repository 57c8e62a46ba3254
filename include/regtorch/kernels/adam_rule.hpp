#pragma once

namespace regtorch::kernels {

/// The numbers of one step of Adam or AdamW, for one parameter:
///
///     g <- g + decay * p
///     m <- beta1 * m + gradient1 * g
///     v <- beta2 * v + gradient2 * g^2
///     p <- keep * p - rate * m / (scale * sqrt(v) + eps)
struct AdamRule {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double gradient1 = 0.1;    // 1 - beta1
  double gradient2 = 0.001;  // 1 - beta2
  double rate = 0;           // lr / (1 - beta1^t) at step t
  double scale = 1;          // 1 / sqrt(1 - beta2^t)
  double eps = 0;
  double decay = 0;  // of Adam: weight_decay
  double keep = 1;   // of AdamW: 1 - lr * weight_decay

  bool operator==(const AdamRule&) const = default;
};

}  // namespace regtorch::kernels
