// batch_norm_relu: forward and backward of batch_norm_relu in training, on channels_last images of
// a ResNet's first layer; batch_norm_relu_shortcut: with a shortcut. `aten` is LibTorch's
// operators.
//
// Limit: in float32 12 bytes an element forward and 20 backward, and with a shortcut 16 and 28 (see
// kernels/batch_norm.hpp). copy moves those 32 and 44.

#include "regtorch/layers/batch_norm_relu.hpp"

#include <vector>

#include <torch/torch.h>

#include "layer_bench.hpp"

namespace {

namespace rt = regtorch;

constexpr std::int64_t kSide = 32;

/// Gradients as a ResNet's graph asks for them: none is added to one that is there.
void pass(benchmark::State& state, torch::ScalarType type, bool with_shortcut,
          const auto& forward) {
  const rt::bench::ScopedMemoryCache cache;
  torch::nn::BatchNorm2d norm(64);
  const auto x = rt::bench::layer_images(kSide, type).requires_grad_();
  const auto dy = torch::randn_like(x.detach());
  std::vector<torch::Tensor> inputs{x, norm->weight, norm->bias};
  torch::Tensor shortcut;
  if (with_shortcut) {
    shortcut = torch::randn_like(x.detach()).requires_grad_();
    inputs.push_back(shortcut);
  }
  for (auto _ : state) {
    const auto y = forward(norm, x, shortcut);
    benchmark::DoNotOptimize(torch::autograd::grad({y}, inputs, {dy}));
  }
  state.SetItemsProcessed(state.iterations() * x.numel());
}

template <bool kShortcut>
void pass_regtorch(benchmark::State& state, torch::ScalarType type) {
  pass(state, type, kShortcut, [](auto& norm, const auto& x, const auto& shortcut) {
    return rt::batch_norm_relu(*norm, x, shortcut);
  });
}

template <bool kShortcut>
void pass_aten(benchmark::State& state, torch::ScalarType type) {
  pass(state, type, kShortcut, [](auto& norm, const auto& x, const auto& shortcut) {
    torch::Tensor u = norm(x);
    return (kShortcut ? u.add_(shortcut) : u).relu_();
  });
}

template <bool kShortcut>
void copy(benchmark::State& state, torch::ScalarType type) {
  const auto x = rt::bench::layer_images(kSide, type);
  // Bytes read and bytes written.
  rt::bench::layer_copy(state, x.numel() * (kShortcut ? 11 : 8) * x.element_size() / 2);
}

template <bool kShortcut>
int register_all(const char* name) {
  return rt::bench::register_layer(name, kSide,
                                   {{"regtorch", pass_regtorch<kShortcut>},
                                    {"aten", pass_aten<kShortcut>},
                                    {"copy", copy<kShortcut>}});
}

const int registered = register_all<false>("batch_norm_relu");
const int registered_shortcut = register_all<true>("batch_norm_relu_shortcut");

}  // namespace
