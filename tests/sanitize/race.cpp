// A race, in a loop that the library runs in parallel: ThreadSanitizer must report it, or the tests
// under it would pass whatever they did.

#include <cstdint>
#include <cstdio>

#include "regtorch/core/parallel_for.hpp"

int main() {
  at::set_num_threads(2);
  std::int64_t sum = 0;
  regtorch::parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t) { sum += begin; });
  std::printf("%lld\n", static_cast<long long>(sum));
}
