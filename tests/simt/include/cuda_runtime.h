#pragma once

// What the text of our kernels uses of CUDA, defined for a C++20 compiler on top of the emulator:
// the kernels' tests compile the lines that nvcc compiles. What is missing here was not needed yet.
//
// What it shows: wrong results, under many orders of blocks and threads; missing barriers, through
// those orders; shared memory that nobody wrote; masks, shuffles and barriers that CUDA leaves
// undefined; launches that a device refuses; and, by the sanitizers that the tests are built with,
// misaligned accesses and indices beyond an array.
//
// What it can't show: two blocks that race, as blocks run one after the other; a missing
// __threadfence, as memory is in order; a __syncwarp that is missing where a shuffle or vote waits
// too, as here those order memory; the errors of a device's approximate arithmetic; and what it all
// costs. A loop that waits for another thread by reading memory alone never ends here.

#include <cassert>
#include <climits>
#include <cstdint>
#include <cstdio>

#include "simt/qualifiers.hpp"
// then, in any order
#include "simt/atomics.hpp"
#include "simt/conversions.hpp"
#include "simt/coordinates.hpp"
#include "simt/error.hpp"
#include "simt/integers.hpp"
#include "simt/math.hpp"
#include "simt/memory.hpp"
#include "simt/runtime_api.hpp"
#include "simt/schedule.hpp"
#include "simt/shuffle.hpp"
#include "simt/synchronise.hpp"
#include "simt/vector_types.hpp"
