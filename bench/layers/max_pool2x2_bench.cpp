// max_pool2x2: forward and backward of MaxPool2x2 on channels_last images of SpeedNet's first
// group. `aten` is LibTorch's max_pool2d.
//
// Limit: 5.25 bytes an element of the input forward and backward each, in float32. copy moves those
// 10.5.

#include "regtorch/layers/max_pool2x2.hpp"

#include <torch/torch.h>

#include "layer_bench.hpp"

namespace {

namespace rt = regtorch;

constexpr std::int64_t kSide = 31;

void pass_regtorch(benchmark::State& state, torch::ScalarType type) {
  rt::bench::layer_pass(state, rt::bench::layer_images(kSide, type), rt::MaxPool2x2());
}

void pass_aten(benchmark::State& state, torch::ScalarType type) {
  rt::bench::layer_pass(state, rt::bench::layer_images(kSide, type), torch::nn::MaxPool2d(2));
}

void copy(benchmark::State& state, torch::ScalarType type) {
  const auto x = rt::bench::layer_images(kSide, type);
  // Of each four pixels one comes out, with a byte; then all of it the other way.
  rt::bench::layer_copy(state, x.numel() * (5 * x.element_size() + 1) / 4);
}

const int registered = rt::bench::register_layer(
    "max_pool2x2", kSide, {{"regtorch", pass_regtorch}, {"aten", pass_aten}, {"copy", copy}});

}  // namespace
