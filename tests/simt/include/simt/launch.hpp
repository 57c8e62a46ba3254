#pragma once

#include <functional>

#include "simt/vector_types.hpp"

namespace regtorch::simt {

/// Whether a device takes a launch of this shape.
bool launchable(dim3 grid, dim3 block);

/// Runs `kernel` for every thread of every block; throws what a thread throws.
void run_grid(dim3 grid, dim3 block, const std::function<void()>& kernel);

}  // namespace regtorch::simt
