// The C++ side of label_smoothing_loss_parity_test.py, which compares it with Python.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "commands.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"

namespace regtorch::parity {

namespace {

LabelSmoothingLossOptions options_of(const Words& run, std::int64_t num_classes) {
  LabelSmoothingLossOptions options(num_classes);
  // What a run leaves out is regtorch's default.
  const std::map<std::string, std::function<void()>> set{
      {"smoothing", [&] { options.smoothing(run.number("smoothing")); }},
      {"spread",
       [&] {
         options.spread(run.text("spread") == "all" ? Spread::kAllClasses : Spread::kOtherClasses);
       }},
      {"ignore_index", [&] { options.ignore_index(run.integer("ignore_index")); }},
      {"dim", [&] { options.dim(run.integer("dim")); }},
      {"weight", [&] { options.weight(run.list("weight")); }},
      {"reduction", [&] {
         const std::string& name = run.text("reduction");
         if (name == "none") {
           options.reduction(torch::kNone);
         } else if (name == "sum") {
           options.reduction(torch::kSum);
         } else {
           options.reduction(torch::kMean);
         }
       }}};
  for (const auto& [name, setter] : set) {
    if (run.has(name)) {
      setter();
    }
  }
  return options;
}

std::vector<std::int64_t> integers(const Words& run, const std::string& name) {
  const auto numbers = run.numbers(name);
  return {numbers.begin(), numbers.end()};
}

void print_values(const torch::Tensor& tensor) {
  const auto values = tensor.detach().to(torch::kDouble).contiguous();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    std::printf("%.17g ", values.data_ptr<double>()[i]);
  }
  std::puts("");
}

void make(const Words& run) {
  const std::map<std::string, torch::ScalarType> types{{"float64", torch::kDouble},
                                                       {"float32", torch::kFloat},
                                                       {"bfloat16", torch::kBFloat16},
                                                       {"float16", torch::kHalf}};
  const auto type = types.at(run.text("type"));
  auto shape = integers(run, "shape");
  const auto dim = run.has("dim") ? run.integer("dim") : 1;
  const auto place =
      shape.begin() + (dim < 0 ? dim + static_cast<std::int64_t>(shape.size()) : dim);
  const std::int64_t num_classes = *place;
  const auto logits = run.list("logits").reshape(shape).to(type).requires_grad_();
  torch::Tensor targets;
  if (run.has("probabilities")) {
    targets = run.list("probabilities").reshape(shape).to(type);
  } else {
    shape.erase(place);
    targets = run.list("targets").to(torch::kLong).reshape(shape);
  }
  LabelSmoothingLoss criterion(options_of(run, num_classes));
  const torch::Tensor loss = criterion(logits, targets);
  print_values(loss);
  print_values(torch::autograd::grad({loss.sum()}, {logits})[0]);
}

}  // namespace

/// A line is NAME=VALUE words: type (float64, float32, bfloat16 or float16), shape and logits;
/// targets or probabilities; and options of LabelSmoothingLoss, the reduction as mean, sum or none,
/// the spread as other or all. It is answered by a line with the loss and a line with the gradient
/// of its sum.
void label_smoothing_losses(const Arguments& /*arguments*/) {
  for (std::string line; std::getline(std::cin, line);) {
    make(Words(line));
  }
}

}  // namespace regtorch::parity
