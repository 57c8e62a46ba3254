// Batch normalization on CIFAR-10: the same model with it and without. Without it the convolutions
// have biases, and an initialisation that keeps what passes through them in bounds.
//
//     batch_norm --data FOLDER --bf16                    ResNet-18 with batch normalization
//     batch_norm --data FOLDER --bf16 --without          and without it
//     batch_norm --data FOLDER --model cnn --without
//
// Measured results, beside those of the other methods: docs/experiments.md.

#include "common.hpp"

int main(int argc, char** argv) {
  examples::Settings settings("batch_norm");
  bool without = false;
  CLI::App app("Trains on CIFAR-10 with batch normalization, or without.");
  examples::add_flags(app, settings);
  examples::add_stopping_flags(app, settings);
  app.add_flag("--without", without, "leave batch normalization out");

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    auto train = examples::training_batches(settings, data.train, examples::normalize());

    auto model = examples::make_model(settings, data, rt::ModelOptions().batch_norm(!without));
    rt::FusedAdam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    torch::nn::CrossEntropyLoss criterion;
    rt::Trainer trainer(model, optimizer, criterion, examples::trainer_options(settings));

    auto stopper = examples::stopper(settings);
    examples::fit_and_report({settings, data, interrupt}, model, trainer, train, stopper);
  });
}
