// Dropout on CIFAR-10, the study text's experiment: in training, a random half of a layer's units
// is left out of every batch, so that none can rely on another. The small CNN has it behind its
// first linear layer, AlexNet before both hidden ones, a ResNet before its last layer.
//
//     dropout --data FOLDER                      the small CNN, rate 0.5
//     dropout --data FOLDER --rate 0             the same without
//     dropout --data FOLDER --model resnet18 --bf16
//
// Measured results, beside those of the other methods: docs/experiments.md.

#include "common.hpp"

int main(int argc, char** argv) {
  examples::Settings settings("dropout");
  settings.model = "cnn";
  double rate = 0.5;
  CLI::App app("Trains on CIFAR-10 with dropout.");
  examples::add_flags(app, settings);
  examples::add_stopping_flags(app, settings);
  app.add_option("--rate", rate, "share of the units left out, in [0, 1)");

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    auto train = examples::training_batches(settings, data.train, examples::normalize());

    auto model = examples::make_model(settings, data, rt::ModelOptions().dropout(rate));
    rt::FusedAdam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    torch::nn::CrossEntropyLoss criterion;
    rt::Trainer trainer(model, optimizer, criterion, examples::trainer_options(settings));

    auto stopper = examples::stopper(settings);
    examples::fit_and_report({settings, data, interrupt}, model, trainer, train, stopper);
  });
}
