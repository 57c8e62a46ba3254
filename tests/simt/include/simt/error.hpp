#pragma once

#include <stdexcept>

namespace regtorch::simt {

/// What a kernel does that CUDA leaves undefined; thrown out of the launch. The message names the
/// block, the thread and what is wrong.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace regtorch::simt
