#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "regtorch/core/tensor_dict.hpp"

/// The C++ side of the tests that compare regtorch with Python: one program, with a command or
/// more for each subject. Of these, the commands
///
///     NAME IN OUT [WORD=VALUE]...
///
/// read tensors by name from the file IN, which Python's torch.save wrote, do what the words say,
/// and write what comes of it to the file OUT.
namespace regtorch::parity {

/// NAME=VALUE words; values may be lists, with commas.
class Words {
 public:
  explicit Words(const std::string& line) {
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      add(word);
    }
  }
  explicit Words(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      add(word);
    }
  }

  bool has(const std::string& name) const { return values_.contains(name); }
  const std::string& text(const std::string& name) const { return values_.at(name); }
  double number(const std::string& name) const { return std::stod(text(name)); }
  std::int64_t integer(const std::string& name) const { return std::stoll(text(name)); }
  std::vector<double> numbers(const std::string& name) const {
    std::istringstream words(text(name));
    std::vector<double> result;
    for (std::string word; std::getline(words, word, ',');) {
      result.push_back(std::stod(word));
    }
    return result;
  }
  /// numbers(), in float64.
  torch::Tensor list(const std::string& name) const {
    return torch::tensor(numbers(name), torch::kDouble);
  }

  /// Calls set(value) if there is the word; if not, regtorch's default is compared.
  template <class Set>
  void pass(const std::string& name, const Set& set) const {
    if (has(name)) {
      set(number(name));
    }
  }

 private:
  void add(const std::string& word) {
    const auto equals = word.find('=');
    values_[word.substr(0, equals)] = word.substr(equals + 1);
  }

  std::map<std::string, std::string> values_;
};

/// What follows a command's name.
using Arguments = std::vector<std::string>;

// label_smoothing_loss_parity.cpp, lr_schedules_parity.cpp: runs, a line each, on standard input
void label_smoothing_losses(const Arguments& arguments);
void lr_schedules(const Arguments& arguments);

// state_dict_parity.cpp
void save_model(const Arguments& arguments);
void logits_of_model(const Arguments& arguments);
void copy_tensors(const Arguments& arguments);

// The others: what they make of IN.
TensorDict steps_of_optimizer(const TensorDict& in, const Words& words);
TensorDict clipped_gradients(const TensorDict& in, const Words& words);
TensorDict penalty(const TensorDict& in, const Words& words);
TensorDict bounded_weights(const TensorDict& in, const Words& words);
TensorDict transformed(const TensorDict& in, const Words& words);
TensorDict mixed(const TensorDict& in, const Words& words);
TensorDict trained(const TensorDict& in, const Words& words);
TensorDict disturbed_labels(const TensorDict& in, const Words& words);
TensorDict early_stops(const TensorDict& in, const Words& words);

}  // namespace regtorch::parity
