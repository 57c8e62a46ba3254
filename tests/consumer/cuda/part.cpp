#include "regtorch/kernels/device_kernels.hpp"

const void* table_of_part() { return &regtorch::kernels::device_kernels(); }
