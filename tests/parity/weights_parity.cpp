// The C++ side of weights_parity_test.py, which compares it with Python.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "commands.hpp"
#include "regtorch/weights/clip_grad.hpp"
#include "regtorch/weights/decay_groups.hpp"
#include "regtorch/weights/fused_adam.hpp"
#include "regtorch/weights/fused_adamw.hpp"
#include "regtorch/weights/fused_sgd.hpp"
#include "regtorch/weights/max_norm.hpp"
#include "regtorch/weights/muon.hpp"
#include "regtorch/weights/parameter_groups.hpp"
#include "regtorch/weights/penalties.hpp"

namespace regtorch::parity {

namespace {

/// Those of group number `group`: each word is a list with a value for each.
template <class Options>
Options options_of(const Words& words, std::size_t group) {
  const auto number = [&](const char* name) { return words.numbers(name).at(group); };
  Options options(number("lr"));
  if constexpr (requires { options.betas(); }) {
    if (words.has("beta1")) {
      options.betas({number("beta1"), number("beta2")});
    }
  }
  const auto pass = [&](const char* name, const auto& set) {
    if (words.has(name)) {
      set(number(name));
    }
  };
  pass("weight_decay", [&](double x) { options.weight_decay(x); });
  if constexpr (requires { options.eps(); }) {
    pass("eps", [&](double x) { options.eps(x); });
  }
  if constexpr (requires { options.amsgrad(); }) {
    pass("amsgrad", [&](double x) { options.amsgrad(x != 0); });
  }
  if constexpr (requires { options.momentum(); }) {
    pass("momentum", [&](double x) { options.momentum(x); });
  }
  if constexpr (requires { options.dampening(); }) {
    pass("dampening", [&](double x) { options.dampening(x); });
  }
  if constexpr (requires { options.nesterov(); }) {
    pass("nesterov", [&](double x) { options.nesterov(x != 0); });
  }
  if constexpr (requires { options.ns_steps(); }) {
    pass("ns_steps", [&](double x) { options.ns_steps(static_cast<std::int64_t>(x)); });
    pass("rate", [&](double x) { options.rate(static_cast<MuonRate>(x)); });
  }
  if constexpr (requires { options.centered(); }) {
    pass("alpha", [&](double x) { options.alpha(x); });
    pass("centered", [&](double x) { options.centered(x != 0); });
  }
  if constexpr (requires { options.lr_decay(); }) {
    pass("lr_decay", [&](double x) { options.lr_decay(x); });
  }
  return options;
}

/// Parameter i is in group i modulo their number; with the word decay_groups, as with_decay_groups
/// says.
template <class Optimizer, class Options>
std::unique_ptr<torch::optim::Optimizer> make(const std::vector<torch::Tensor>& parameters,
                                              const Words& words) {
  if (words.has("decay_groups")) {
    torch::nn::Module module;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      module.register_parameter(std::to_string(i), parameters[i]);
    }
    return std::make_unique<Optimizer>(
        with_decay_groups<Optimizer>(module, options_of<Options>(words, 0)));
  }
  std::vector<ParameterGroup<Options>> groups;
  for (std::size_t g = 0; g < words.numbers("lr").size(); ++g) {
    groups.push_back({{}, options_of<Options>(words, g)});
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    groups[i % groups.size()].parameters.push_back(parameters[i]);
  }
  return std::make_unique<Optimizer>(with_parameter_groups<Optimizer>(groups));
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(
    const std::vector<torch::Tensor>& parameters, const Words& words) {
  using namespace torch::optim;
  const std::map<std::string,
                 std::unique_ptr<Optimizer> (*)(const std::vector<torch::Tensor>&, const Words&)>
      makers{{"FusedAdam", make<FusedAdam, AdamOptions>},
             {"FusedAdamW", make<FusedAdamW, AdamWOptions>},
             {"FusedSGD", make<FusedSGD, SGDOptions>},
             {"Muon", make<Muon, MuonOptions>},
             {"Adam", make<Adam, AdamOptions>},
             {"AdamW", make<AdamW, AdamWOptions>},
             {"SGD", make<SGD, SGDOptions>},
             {"RMSprop", make<RMSprop, RMSpropOptions>},
             {"Adagrad", make<Adagrad, AdagradOptions>}};
  return makers.at(words.text("optimizer"))(parameters, words);
}

/// Leaves with the values that are named PREFIX0, PREFIX1, ...
std::vector<torch::Tensor> leaves(const TensorDict& in, const std::string& prefix) {
  std::vector<torch::Tensor> result;
  while (const auto* value = in.find(prefix + std::to_string(result.size()))) {
    result.push_back(value->detach().clone().requires_grad_());
  }
  return result;
}

/// Parameters with the gradients that are named "gradient0", ...
std::vector<torch::Tensor> parameters_with_gradients(const TensorDict& in) {
  std::vector<torch::Tensor> result;
  for (const auto& gradient : leaves(in, "gradient")) {
    result.push_back(torch::zeros_like(gradient).requires_grad_());
    result.back().mutable_grad() = gradient.detach();
  }
  return result;
}

}  // namespace

/// IN: parameters, and of each the gradients of all steps. OUT: the parameters after each step.
TensorDict steps_of_optimizer(const TensorDict& in, const Words& words) {
  const auto parameters = leaves(in, "parameter");
  const auto gradients = leaves(in, "gradient");
  const auto optimizer = make_optimizer(parameters, words);
  std::vector<std::vector<torch::Tensor>> after(parameters.size());
  for (std::int64_t step = 0; step < gradients[0].size(0); ++step) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].mutable_grad() = gradients[i].detach()[step];
    }
    optimizer->step();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      after[i].push_back(parameters[i].detach().clone());
    }
  }
  TensorDict out;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    out.insert("parameter" + std::to_string(i), torch::stack(after[i]));
  }
  return out;
}

/// By norm or by value. OUT: the gradients and the norm.
TensorDict clipped_gradients(const TensorDict& in, const Words& words) {
  const auto parameters = parameters_with_gradients(in);
  TensorDict out;
  if (words.has("max_norm")) {
    out.insert("norm", clip_grad_norm_(parameters, words.number("max_norm")));
  } else {
    clip_grad_value_(parameters, words.number("clip_value"));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    out.insert("gradient" + std::to_string(i), parameters[i].grad());
  }
  return out;
}

/// L1, L2 or both, as the words say. OUT: the penalty and its gradients.
TensorDict penalty(const TensorDict& in, const Words& words) {
  const auto weights = leaves(in, "parameter");
  torch::Tensor value;
  if (words.has("l1") && words.has("l2")) {
    value = elastic_net_penalty(weights, words.number("l1"), words.number("l2"));
  } else if (words.has("l1")) {
    value = l1_penalty(weights, words.number("l1"));
  } else {
    value = l2_penalty(weights, words.number("l2"));
  }
  const auto gradients = torch::autograd::grad({value}, weights);
  TensorDict out;
  out.insert("penalty", value.detach());
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    out.insert("gradient" + std::to_string(i), gradients[i]);
  }
  return out;
}

/// OUT: the parameters after max_norm_.
TensorDict bounded_weights(const TensorDict& in, const Words& words) {
  const auto weights = leaves(in, "parameter");
  max_norm_(weights, words.number("max_norm"));
  TensorDict out;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    out.insert("parameter" + std::to_string(i), weights[i].detach());
  }
  return out;
}

}  // namespace regtorch::parity
