#pragma once

#include <torch/nn/module.h>

namespace regtorch {

/// Lays out every convolution's weights [O,I,H,W] in memory as O,H,W,I, in place: what Python's
/// module.to(memory_format=torch.channels_last) does and LibTorch's Module::to does not offer.
///
/// Values stay; CPU convolutions on channels_last images then reorder no weights.
/// Call it before the optimizer takes its first step.
inline void to_channels_last(torch::nn::Module& module) {
  for (auto& parameter : module.parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.contiguous(c10::MemoryFormat::ChannelsLast));
    }
  }
}

}  // namespace regtorch
