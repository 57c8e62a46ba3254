#pragma once

// What the fuzz targets have in common. A target is one file with an LLVMFuzzerTestOneInput, which
// libFuzzer calls with whatever bytes it thinks up; a crash, a sanitizer's report, an exception
// that gets out and a require() that fails are findings.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <fuzzer/FuzzedDataProvider.h>

namespace regtorch::testing {

/// A property that holds for every input.
inline void require(bool holds, std::string_view what) {
  if (!holds) {
    std::fprintf(stderr, "fuzz: does not hold: %s\n", std::string(what).c_str());
    std::abort();
  }
}

/// Whether `callable` returns; false if it throws `Error`.
template <class Error = c10::Error, class Callable>
bool succeeds(Callable&& callable) {
  try {
    callable();
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace regtorch::testing

/// Called by libFuzzer once, before the first input. An error of c10 looks up the names of all
/// functions it passes, which takes longer than everything a target does.
extern "C" inline int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  c10::SetStackTraceFetcher([] { return std::string(); });
  return 0;
}
