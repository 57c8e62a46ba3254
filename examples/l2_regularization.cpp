// L2 regularization on CIFAR-10, the study text's experiment: Adam adds weight_decay times each
// weight to its gradient, which pulls the weights towards 0.
//
//     l2_regularization --data FOLDER --bf16                    weight decay 1e-3
//     l2_regularization --data FOLDER --bf16 --decay-groups     none on biases and normalization
//     l2_regularization --data FOLDER --bf16 --max-norm 3       and filters of norm 3 at most
//     l2_regularization --data FOLDER --bf16 --weight-decay 0 --l1 1e-5      a penalty in the loss
//
// Measured results, beside those of the other methods: docs/experiments.md.

#include "common.hpp"

namespace {

/// Keeps every filter's norm in bounds, after each step.
struct MaxNorm {
  double bound;
  void on_batch_end(rt::TrainingState& state) {
    if (bound > 0) {
      rt::max_norm_(state.model, bound);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  examples::Settings settings("l2_regularization");
  double weight_decay = 1e-3;
  bool decay_groups = false;
  double max_norm = 0;
  double l1 = 0;
  double l2 = 0;
  CLI::App app("Trains on CIFAR-10 with L2 regularization.");
  examples::add_flags(app, settings);
  examples::add_stopping_flags(app, settings);
  app.add_option("--weight-decay", weight_decay, "strength of the pull towards 0")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--decay-groups", decay_groups, "decay no biases and no normalization weights");
  app.add_option("--max-norm", max_norm, "bound on each filter's norm; 0: none")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--l1", l1, "strength of an L1 penalty on the weights, added to the loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--l2", l2, "strength of an L2 penalty; with --l1: the elastic net")
      ->check(CLI::NonNegativeNumber);

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    auto train = examples::training_batches(settings, data.train, examples::normalize());

    auto model = examples::make_model(settings, data);
    const auto adam = torch::optim::AdamOptions(1e-3).weight_decay(weight_decay);
    rt::FusedAdam optimizer = decay_groups
                                  ? rt::with_decay_groups<rt::FusedAdam>(*model.ptr(), adam)
                                  : rt::FusedAdam(model.ptr()->parameters(), adam);
    torch::nn::CrossEntropyLoss cross_entropy;
    const bool penalized = l1 > 0 || l2 > 0;
    const auto criterion = [&](const torch::Tensor& logits, const torch::Tensor& labels) {
      const torch::Tensor loss = cross_entropy(logits, labels);
      return penalized ? loss + rt::elastic_net_penalty(*model.ptr(), l1, l2) : loss;
    };
    rt::Trainer trainer(model, optimizer, criterion, examples::trainer_options(settings));
    trainer.validate_with(cross_entropy);

    auto stopper = examples::stopper(settings);
    examples::fit_and_report(
        {settings, data, interrupt, penalized ? "training loss, with penalty" : "training loss"},
        model, trainer, train, stopper, MaxNorm{max_norm});
  });
}
