// The C++ side of label_smoothing_loss_parity_test.py, which compares it with Python.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "regtorch/losses/label_smoothing_loss.hpp"

namespace rt = regtorch;

namespace {

constexpr const char* kUsage =
    "label_smoothing_loss_parity version      prints LibTorch's version\n"
    "label_smoothing_loss_parity runs < RUNS  makes the runs and prints losses and gradients\n"
    "A run is a line of words NAME=VALUE, lists with commas: type (float64, float32, bfloat16 or\n"
    "float16), shape and logits; targets or probabilities; and options of LabelSmoothingLoss, the\n"
    "reduction as mean, sum or none, the spread as other or all. It is answered by a line with "
    "the\n"
    "loss and a line with the gradient of its sum.\n";

/// What a line of RUNS says.
class Run {
 public:
  explicit Run(const std::string& line) {
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      const auto equals = word.find('=');
      values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  bool has(const std::string& name) const { return values_.contains(name); }
  const std::string& text(const std::string& name) const { return values_.at(name); }
  double number(const std::string& name) const { return std::stod(text(name)); }
  std::int64_t integer(const std::string& name) const { return std::stoll(text(name)); }
  /// float64, one-dimensional
  torch::Tensor list(const std::string& name) const {
    std::istringstream words(text(name));
    std::vector<double> result;
    for (std::string word; std::getline(words, word, ',');) {
      result.push_back(std::stod(word));
    }
    return torch::tensor(result, torch::kDouble);
  }
  std::vector<std::int64_t> shape() const {
    const auto sizes = list("shape").to(torch::kLong);
    return {sizes.data_ptr<std::int64_t>(), sizes.data_ptr<std::int64_t>() + sizes.numel()};
  }

 private:
  std::map<std::string, std::string> values_;
};

rt::LabelSmoothingLossOptions options_of(const Run& run, std::int64_t num_classes) {
  rt::LabelSmoothingLossOptions options(num_classes);
  // What a run leaves out is regtorch's default.
  const std::map<std::string, std::function<void()>> set{
      {"smoothing", [&] { options.smoothing(run.number("smoothing")); }},
      {"spread",
       [&] {
         options.spread(run.text("spread") == "all" ? rt::Spread::kAllClasses
                                                    : rt::Spread::kOtherClasses);
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

void print_values(const torch::Tensor& tensor) {
  const auto values = tensor.detach().to(torch::kDouble).contiguous();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    std::printf("%.17g ", values.data_ptr<double>()[i]);
  }
  std::puts("");
}

void make(const Run& run) {
  const std::map<std::string, torch::ScalarType> types{{"float64", torch::kDouble},
                                                       {"float32", torch::kFloat},
                                                       {"bfloat16", torch::kBFloat16},
                                                       {"float16", torch::kHalf}};
  const auto type = types.at(run.text("type"));
  auto shape = run.shape();
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
  rt::LabelSmoothingLoss criterion(options_of(run, num_classes));
  const torch::Tensor loss = criterion(logits, targets);
  print_values(loss);
  print_values(torch::autograd::grad({loss.sum()}, {logits})[0]);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc == 2 ? argv[1] : "";
  if (command == "version") {
    std::puts(TORCH_VERSION);
  } else if (command == "runs") {
    for (std::string line; std::getline(std::cin, line);) {
      make(Run(line));
    }
  } else {
    std::fputs(kUsage, stderr);
    return 2;
  }
}
