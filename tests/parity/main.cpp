#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include <torch/torch.h>

#include "commands.hpp"
#include "regtorch/models/state_dict.hpp"

namespace rt = regtorch;
namespace parity = regtorch::parity;
using parity::Arguments;

namespace {

using Command = std::function<void(const Arguments&)>;

/// A command of the form NAME IN OUT [WORD=VALUE]...
Command exchange(rt::TensorDict (*make)(const rt::TensorDict& in, const parity::Words& words)) {
  return [make](const Arguments& arguments) {
    const Arguments words(arguments.begin() + 2, arguments.end());
    rt::save_state_dict(make(rt::load_state_dict(arguments.at(0)), parity::Words(words)),
                        arguments.at(1));
  };
}

const std::map<std::string, Command> kCommands{
    {"version", [](const Arguments&) { std::puts(TORCH_VERSION); }},
    {"label_smoothing_losses", parity::label_smoothing_losses},
    {"lr_schedules", parity::lr_schedules},
    {"save_model", parity::save_model},
    {"logits_of_model", parity::logits_of_model},
    {"copy_tensors", parity::copy_tensors},
    {"steps_of_optimizer", exchange(parity::steps_of_optimizer)},
    {"clipped_gradients", exchange(parity::clipped_gradients)},
    {"penalty", exchange(parity::penalty)},
    {"bounded_weights", exchange(parity::bounded_weights)},
    {"transformed", exchange(parity::transformed)},
    {"mixed", exchange(parity::mixed)},
    {"trained", exchange(parity::trained)},
    {"disturbed_labels", exchange(parity::disturbed_labels)},
    {"early_stops", exchange(parity::early_stops)},
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argv + 1, argv + argc);
  const auto command = arguments.empty() ? kCommands.end() : kCommands.find(arguments[0]);
  if (command == kCommands.end()) {
    std::fputs("regtorch_parity: wanted one of these commands, see commands.hpp:\n", stderr);
    for (const auto& known : kCommands) {
      std::fprintf(stderr, "  %s\n", known.first.c_str());
    }
    return 2;
  }
  command->second(Arguments(arguments.begin() + 1, arguments.end()));
}
