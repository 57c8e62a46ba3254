#pragma once

#include <filesystem>

#include <torch/torch.h>

#include <regtorch/regtorch.hpp>

namespace rt = regtorch;

/// What one translation unit sees of the library.
struct Seen {
  rt::kernels::Isa (*active_isa)();
  void (*write_csv)(const rt::History&, const std::filesystem::path&);
  torch::Tensor images;
  torch::Tensor features;
  rt::StopReason reason;
};

// static: each file's own, compiled from what that file sees. The linker would keep but one copy of
// an inline function.
static Seen look() {
  const auto bytes = torch::arange(2 * 3 * 32 * 32).remainder(256).to(torch::kByte);
  const rt::transforms::Pipeline augment{
      rt::transforms::RandomCrop(32, /*padding=*/4), rt::transforms::RandomHorizontalFlip(),
      rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})};
  const auto images = augment(bytes.view({2, 3, 32, 32}), /*seed=*/7);

  torch::manual_seed(0);
  rt::ResidualBlock block(3, 8, /*stride=*/2);
  const auto features = block->forward(images);

  rt::EarlyStopping stopper(rt::EarlyStoppingOptions().patience(1));
  stopper.step(1.0);
  stopper.step(2.0);
  return {&rt::kernels::active_isa, &rt::report::write_csv, images, features, stopper.reason()};
}
