// The C++ side of state_dict_parity_test.py, which compares it with Python.

#include <cstdio>
#include <fstream>
#include <ios>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "regtorch/models/channels_last.hpp"
#include "regtorch/models/resnet.hpp"
#include "regtorch/models/state_dict.hpp"

namespace rt = regtorch;

namespace {

constexpr const char* kUsage =
    "state_dict_parity version                        prints LibTorch's version\n"
    "state_dict_parity save FILE float32|bfloat16 contiguous|channels_last\n"
    "                                                 saves a ResNet-18 with random values\n"
    "state_dict_parity logits FILE INPUT OUTPUT       loads a ResNet-18 and runs it\n"
    "state_dict_parity copy FROM TO                   loads the tensors of the test, and saves "
    "them\n"
    "INPUT [4,3,32,32] and OUTPUT [4,10] are plain float32 numbers.\n";

/// A ResNet-18 no value of which is as a new model has it.
void save(const std::string& path, const std::string& dtype, const std::string& layout) {
  torch::manual_seed(1);
  auto model = rt::resnet18();
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : model->parameters()) {
      parameter.add_(0.01 * torch::randn_like(parameter));
    }
    for (auto& buffer : model->buffers()) {  // means, variances, and how often they were updated
      buffer.copy_(buffer.dim() == 0 ? torch::tensor(3) : buffer + 0.5 * torch::rand_like(buffer));
    }
  }
  if (dtype == "bfloat16") {  // Module::to would convert num_batches_tracked as well
    for (auto& entry : rt::detail::state_dict_of(*model)) {
      if (entry.value().is_floating_point()) {
        entry.value().set_data(entry.value().to(torch::kBFloat16));
      }
    }
  }
  if (layout == "channels_last") {
    rt::to_channels_last(*model);
  }
  rt::save_state_dict(*model, path);
}

void logits(const std::string& path, const std::string& input, const std::string& output) {
  auto model = rt::resnet18();
  rt::load_state_dict(*model, path);
  model->eval();
  torch::Tensor images = torch::empty({4, 3, 32, 32});
  std::ifstream(input, std::ios::binary)
      .read(static_cast<char*>(images.data_ptr()), static_cast<std::streamsize>(images.nbytes()));
  const torch::NoGradGuard no_grad;
  const auto result = model->forward(images).contiguous();
  std::ofstream(output, std::ios::binary)
      .write(static_cast<const char*>(result.data_ptr()),
             static_cast<std::streamsize>(result.nbytes()));
}

/// The tensors of the Python test: every type of element and every kind of strides.
struct Tensors : torch::nn::Module {
  Tensors() {
    for (const auto& dtype : rt::detail::kPickledDtypes) {
      register_buffer(c10::toString(dtype.dtype), torch::zeros({3, 4}).to(dtype.dtype));
    }
    register_buffer("channels_last", torch::zeros({2, 3, 4, 5}));
    register_buffer("transposed", torch::zeros({4, 3}));
    register_buffer("view_a", torch::zeros({3}));
    register_buffer("view_b", torch::zeros({3, 2}));
    register_buffer("expanded", torch::zeros({3, 7}));
    register_buffer("scalar", torch::zeros({}));
    register_buffer("empty", torch::zeros({0, 5}));
    register_buffer("huge", torch::zeros({2}, torch::kLong));
    register_parameter("parameter", torch::zeros({2, 3}));
  }
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string command = arguments.empty() ? "" : arguments[0];
  if (command == "version" && arguments.size() == 1) {
    std::puts(TORCH_VERSION);
  } else if (command == "save" && arguments.size() == 4) {
    save(arguments[1], arguments[2], arguments[3]);
  } else if (command == "logits" && arguments.size() == 4) {
    logits(arguments[1], arguments[2], arguments[3]);
  } else if (command == "copy" && arguments.size() == 3) {
    Tensors tensors;
    rt::load_state_dict(tensors, arguments[1]);
    rt::save_state_dict(tensors, arguments[2]);
  } else {
    std::fputs(kUsage, stderr);
    return 2;
  }
}
