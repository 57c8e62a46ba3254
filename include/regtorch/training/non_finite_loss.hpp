#pragma once

#include <c10/util/Exception.h>

namespace regtorch {

/// Training has diverged: its loss became infinite or not a number. Thrown by Trainer::fit, so that
/// a program with many runs can tell this from an error of its own.
class NonFiniteLoss : public c10::Error {
 public:
  using c10::Error::Error;
};

}  // namespace regtorch
