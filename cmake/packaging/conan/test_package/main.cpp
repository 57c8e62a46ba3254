// Limits the norm of one row, and prints the version: headers, kernels and LibTorch are all there.

#include <cmath>
#include <cstdio>

#include <ATen/ops/full.h>

#include <regtorch/version.hpp>
#include <regtorch/weights/max_norm.hpp>

int main() {
  const at::Tensor row = at::full({1, 10000}, 1.0);  // its norm is 100
  regtorch::max_norm_({row}, 1.0);
  const double norm = row.norm().item<double>();
  std::printf("regtorch %d.%d.%d: norm %.6f\n", REGTORCH_VERSION_MAJOR, REGTORCH_VERSION_MINOR,
              REGTORCH_VERSION_PATCH, norm);
  return std::abs(norm - 1.0) < 1e-5 ? 0 : 1;
}
