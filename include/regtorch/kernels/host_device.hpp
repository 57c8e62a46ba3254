#pragma once

/// Before a function that nvcc is to compile for both sides. constexpr ones need it not: the
/// component regtorch::cuda compiles with --expt-relaxed-constexpr.
#if defined(__CUDACC__)
#define REGTORCH_HOST_DEVICE __host__ __device__
#else
#define REGTORCH_HOST_DEVICE
#endif
