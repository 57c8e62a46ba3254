#include "seen.hpp"

Seen seen_by_b();

Seen seen_by_b() { return look(); }
