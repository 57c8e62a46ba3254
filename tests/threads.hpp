#pragma once

#include <ATen/Parallel.h>

namespace regtorch::testing {

/// Runs the rest of a scope with this many intra-op threads.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace regtorch::testing
