#pragma once

namespace regtorch::kernels {

/// The numbers of one step of SGD:
///
///     g <- g + decay * p
///     b <- momentum * b + gradient * g        only with momentum
///     g <- g + momentum * b, or b             the former with nesterov
///     p <- p - rate * g
struct SgdRule {
  double rate = 0;
  double momentum = 0;
  double gradient = 1;  // 1 - dampening
  double decay = 0;
  bool nesterov = false;

  bool operator==(const SgdRule&) const = default;
};

}  // namespace regtorch::kernels
