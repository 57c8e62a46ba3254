#pragma once

// The one way into Catch2 for a test. c10 defines a macro CHECK of its own, so torch comes first
// and its CHECK goes; then Catch2, version 2 or 3. The kernels' tests are also built without torch
// (tests/sanitize).

#include <exception>
#include <string>

#if defined(REGTORCH_TEST_KERNELS_ALONE)
#include <c10/util/BFloat16.h>
#include <c10/util/Exception.h>
#include <c10/util/Half.h>
#include <c10/util/Logging.h>
#else
#include <torch/torch.h>

#include "threads.hpp"
#endif

#undef CHECK
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

namespace regtorch {}
namespace rt = regtorch;

namespace regtorch::testing {

/// The message of what `callable` throws; "" if it throws nothing.
template <class Callable>
std::string error_of(Callable&& callable) {
  try {
    callable();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace regtorch::testing
