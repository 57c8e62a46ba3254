// batch_norm_gelu: forward and backward of BatchNormGELU in training, on channels_last images of
// SpeedNet's first group. `aten` is torch::nn::BatchNorm2d and torch::nn::GELU.
//
// Limit: 12 bytes an element forward and 20 backward in float32 (see kernels/batch_norm.hpp).
// copy moves those 32.

#include "regtorch/layers/batch_norm_gelu.hpp"

#include <torch/torch.h>

#include "layer_bench.hpp"

namespace {

namespace rt = regtorch;

constexpr std::int64_t kSide = 15;

void pass_regtorch(benchmark::State& state, torch::ScalarType type) {
  rt::bench::layer_pass(state, rt::bench::layer_images(kSide, type), rt::BatchNormGELU(64));
}

void pass_aten(benchmark::State& state, torch::ScalarType type) {
  torch::nn::BatchNorm2d norm(64);
  rt::bench::layer_pass(state, rt::bench::layer_images(kSide, type),
                        [&](const torch::Tensor& x) { return torch::gelu(norm(x)); });
}

void copy(benchmark::State& state, torch::ScalarType type) {
  const auto x = rt::bench::layer_images(kSide, type);
  rt::bench::layer_copy(state, x.numel() * 4 * x.element_size());
}

const int registered = rt::bench::register_layer(
    "batch_norm_gelu", kSide, {{"regtorch", pass_regtorch}, {"aten", pass_aten}, {"copy", copy}});

}  // namespace
