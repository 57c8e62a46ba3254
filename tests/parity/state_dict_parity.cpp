// The C++ side of state_dict_parity_test.py, which compares it with Python.

#include <fstream>
#include <ios>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "commands.hpp"
#include "regtorch/models/channels_last.hpp"
#include "regtorch/models/resnet.hpp"
#include "regtorch/models/state_dict.hpp"

namespace regtorch::parity {

namespace {

/// A ResNet-18 no value of which is as a new model has it.
void save(const std::string& path, const std::string& dtype, const std::string& layout) {
  torch::manual_seed(1);
  auto model = resnet18();
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
    for (auto& entry : detail::state_dict_of(*model)) {
      if (entry.value().is_floating_point()) {
        entry.value().set_data(entry.value().to(torch::kBFloat16));
      }
    }
  }
  if (layout == "channels_last") {
    to_channels_last(*model);
  }
  save_state_dict(*model, path);
}

void logits(const std::string& path, const std::string& input, const std::string& output) {
  auto model = resnet18();
  load_state_dict(*model, path);
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
    for (const auto& dtype : detail::kPickledDtypes) {
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

/// FILE float32|bfloat16 contiguous|channels_last: saves a ResNet-18 with random values.
void save_model(const Arguments& arguments) {
  save(arguments.at(0), arguments.at(1), arguments.at(2));
}

/// FILE INPUT OUTPUT: loads a ResNet-18 and runs it. INPUT [4,3,32,32] and OUTPUT [4,10] are plain
/// float32 numbers.
void logits_of_model(const Arguments& arguments) {
  logits(arguments.at(0), arguments.at(1), arguments.at(2));
}

/// FROM TO: loads the tensors of the test, and saves them.
void copy_tensors(const Arguments& arguments) {
  Tensors tensors;
  load_state_dict(tensors, arguments.at(0));
  save_state_dict(tensors, arguments.at(1));
}

}  // namespace regtorch::parity
