#include "regtorch/cuda/fill_weights.cuh"

#include <cmath>
#include <cstdint>

#include "catch.hpp"

namespace {

namespace rt = regtorch;

int devices = 0;  // the sum of the numbers that queues were made of
struct Queue {
  explicit Queue(int device) { devices += device; }
  operator cudaStream_t() const { return nullptr; }
};

}  // namespace

TEST_CASE("the table's functions for weights start the kernels that they are named after",
          "[cuda]") {
  rt::kernels::DeviceKernels table;
  rt::cuda::fill_weight_kernels<Queue>(table);
  float p[1] = {2};
  float g[1] = {4};
  float first[1] = {0};
  float second[1] = {0};
  const rt::kernels::StepArrays step{p, g, first, second, 1};
  devices = 0;

  rt::kernels::AdamRule adam;
  adam.rate = 0.5 / (1 - adam.beta1);
  adam.scale = 1 / std::sqrt(1 - adam.beta2);
  table.adam_step(1, &step, 1, adam);  // the first step is lr, whatever the gradient
  CHECK(p[0] == Approx(1.5));
  table.sgd_step(2, &step, 1, {.rate = 0.125});
  CHECK(p[0] == Approx(1));

  rt::kernels::Sums scratch[1];
  float value = 0;
  float factor = 0;
  p[0] = -3;
  const rt::kernels::WeightArrays weights{p, g, 1};
  const rt::kernels::PenaltyRule rule{.l1 = 1, .l2 = 2, .has_l1 = true, .has_l2 = true};
  table.penalty(4, &weights, 1, rule, scratch, &value);
  CHECK(value == 21);
  const float incoming = 2;
  table.penalty_gradient(8, &weights, 1, rule, &incoming);
  CHECK(g[0] == -26);
  const rt::kernels::WeightArrays in_place{p, p, 1};
  table.clip_norm(16, &in_place, 1, 2, scratch, &value, &factor);
  CHECK(value == 3);
  CHECK(p[0] == Approx(-2));
  const rt::kernels::FilterArrays filters{p, 1, 1};
  table.max_norm(32, &filters, 1, 1);
  CHECK(p[0] == Approx(-1));
  CHECK(devices == 63);
}
