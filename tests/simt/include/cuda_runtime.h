#pragma once

// What the text of our kernels uses of CUDA, defined for a C++20 compiler on top of the emulator:
// the kernels' tests compile the lines that nvcc compiles. What is missing here was not needed yet.

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
