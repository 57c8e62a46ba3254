#pragma once

#include <cstdint>

#include <torch/torch.h>

namespace regtorch::testing {

/// Random bytes, uint8 [count,3,height,width].
inline torch::Tensor random_images(std::int64_t count, std::int64_t height, std::int64_t width,
                                   std::uint64_t seed = 0) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randint(0, 256, {count, 3, height, width}, generator, torch::kByte);
}

}  // namespace regtorch::testing
