// The C++ side of training_parity_test.py, which compares it with Python.

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/torch.h>

#include "commands.hpp"
#include "regtorch/labels/disturb_label.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"
#include "regtorch/models/make_model.hpp"
#include "regtorch/models/state_dict.hpp"
#include "regtorch/stopping/early_stopping.hpp"
#include "regtorch/weights/fused_adam.hpp"
#include "regtorch/weights/fused_sgd.hpp"

namespace regtorch::parity {

/// IN: images [steps,B,3,32,32] and labels [steps,B]; the word `state` names the file of the
/// weights to begin with, `save` the one that gets the last ones. OUT: the loss of each step.
TensorDict trained(const TensorDict& in, const Words& words) {
  const auto type = in["images"].scalar_type();
  auto model = make_model(words.text("model"));
  load_state_dict(*model.ptr(), words.text("state"));
  model.ptr()->to(type);
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  if (words.text("optimizer") == "adam") {
    optimizer = std::make_unique<FusedAdam>(model.ptr()->parameters(),
                                            torch::optim::AdamOptions(words.number("lr")));
  } else {
    optimizer = std::make_unique<FusedSGD>(
        model.ptr()->parameters(),
        torch::optim::SGDOptions(words.number("lr")).momentum(0.9).weight_decay(5e-4));
  }
  LabelSmoothingLoss criterion(
      LabelSmoothingLossOptions(10).smoothing(0.1).spread(Spread::kAllClasses));
  torch::manual_seed(words.integer("seed"));  // of the dropout
  std::vector<torch::Tensor> losses;
  for (std::int64_t step = 0; step < in["images"].size(0); ++step) {
    optimizer->zero_grad();
    const torch::Tensor logits = model.forward(in["images"][step]);
    const torch::Tensor loss = criterion(logits, in["labels"][step]);
    loss.backward();
    optimizer->step();
    losses.push_back(loss.detach());
  }
  save_state_dict(*model.ptr(), words.text("save"));
  TensorDict out;
  out.insert("losses", torch::stack(losses));
  return out;
}

/// OUT: the labels disturbed, and the probability of the same class and of each other one.
TensorDict disturbed_labels(const TensorDict& in, const Words& words) {
  DisturbLabel disturb(DisturbLabelOptions(words.number("alpha"), words.integer("classes"))
                           .seed(static_cast<std::uint64_t>(words.integer("seed"))));
  const auto probabilities = disturb->probabilities();
  TensorDict out;
  out.insert("labels", disturb(in["labels"]));
  out.insert("probabilities",
             torch::tensor({probabilities.same, probabilities.other}, torch::kDouble));
  return out;
}

/// IN: values, float64 [runs,epochs]. OUT: for each run the epoch that stopped it, 0 for none, the
/// best one and the reason.
TensorDict early_stops(const TensorDict& in, const Words& words) {
  EarlyStoppingOptions options;
  words.pass("patience", [&](double x) { options.patience(static_cast<std::int64_t>(x)); });
  words.pass("min_delta", [&](double x) { options.min_delta(x); });
  words.pass("max", [&](double) { options.mode(MonitorMode::kMax); });
  words.pass("stopping_threshold", [&](double x) { options.stopping_threshold(x); });
  words.pass("divergence_threshold", [&](double x) { options.divergence_threshold(x); });
  words.pass("baseline", [&](double x) { options.baseline(x); });
  words.pass("start_from_epoch",
             [&](double x) { options.start_from_epoch(static_cast<std::int64_t>(x)); });
  words.pass("check_finite", [&](double x) { options.check_finite(x != 0); });
  const torch::Tensor values = in["values"].contiguous();
  const auto* value = values.const_data_ptr<double>();
  std::vector<std::int64_t> out;
  for (std::int64_t run = 0; run < values.size(0); ++run) {
    EarlyStopping stopper(options);
    std::int64_t stopped = 0;
    for (std::int64_t epoch = 1; epoch <= values.size(1) && stopped == 0; ++epoch) {
      stopped = stopper.step(value[run * values.size(1) + epoch - 1]) ? epoch : 0;
    }
    out.push_back(stopped);
    out.push_back(stopper.best_epoch());
    out.push_back(static_cast<std::int64_t>(stopper.reason()));
  }
  TensorDict result;
  result.insert("stops", torch::tensor(out, torch::kLong).view({values.size(0), 3}));
  return result;
}

}  // namespace regtorch::parity
