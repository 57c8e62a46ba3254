// DisturbLabel on CIFAR-10, the study text's experiment: a part of the labels of every batch is
// replaced by random ones, newly chosen each time, so that the training set cannot be learned by
// heart. Validation and test go by the true labels.
//
//     disturb_label --data FOLDER --model alexnet --bf16                  50 epochs, alpha 30 %
//     disturb_label --data FOLDER --model resnet18 --bf16 --epochs 10
//     disturb_label --data FOLDER --directional                           only the sure ones
//
// The loss of each epoch is printed; the weights are saved at the end (last.pt) and at each better
// epoch (best.pt). Measured results: docs/experiments.md.

#include "common.hpp"

int main(int argc, char** argv) {
  examples::Settings settings("disturb_label");
  settings.epochs = 50;
  double alpha = 30;
  bool directional = false;
  CLI::App app("Trains on CIFAR-10 with a part of the labels disturbed.");
  examples::add_flags(app, settings);
  examples::add_stopping_flags(app, settings);
  app.add_option("--alpha", alpha, "noise rate in percent: labels drawn anew from all classes");
  app.add_flag("--directional", directional, "disturb only where the model is sure of the label");

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    auto train = examples::training_batches(settings, data.train, examples::normalize());

    auto model = examples::make_model(settings, data);
    rt::FusedAdam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    torch::nn::CrossEntropyLoss criterion;
    rt::Trainer trainer(model, optimizer, criterion, examples::trainer_options(settings));
    const auto disturb =
        rt::DisturbLabelOptions(alpha, data.train.dataset().num_classes()).seed(settings.seed);
    if (directional) {
      trainer.disturb_labels(rt::DirectionalDisturbLabel(disturb));
    } else {
      trainer.disturb_labels(rt::DisturbLabel(disturb));
    }

    auto stopper = examples::stopper(settings);
    examples::fit_and_report({settings, data, interrupt, "training loss, disturbed labels"}, model,
                             trainer, train, stopper);
  });
}
