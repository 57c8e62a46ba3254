// A function that is not inline fails to link; one that is static, or in an unnamed namespace, has
// two addresses; and both files must compute the same.

#include <cstdio>

#include "seen.hpp"

Seen seen_by_b();

int main() {
  const Seen a = look();
  const Seen b = seen_by_b();
  const bool same = a.active_isa == b.active_isa && a.write_csv == b.write_csv &&
                    torch::equal(a.images, b.images) && torch::equal(a.features, b.features) &&
                    a.reason == b.reason;
  std::puts(same ? "both files see one library" : "FAILED: the files see different libraries");
  return same ? 0 : 1;
}
