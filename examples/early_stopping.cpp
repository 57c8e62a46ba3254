// Early stopping on CIFAR-10, the study text's experiment: ResNet-18 trained by Adam until it
// overfits, and the weights of the best validation loss against those of the last epoch.
//
//     early_stopping --data FOLDER --bf16           51 epochs, never stopping, remembering the best
//     early_stopping --data FOLDER --patience 3     stopping after 3 epochs without improvement
//
// Measured on 2 cores of a Xeon with AVX-512, bf16 and AMX at 2.6 GHz, LibTorch 2.13.0, g++ 12.2,
// with --bf16 --epochs 15: 183 s of training an epoch; test loss 0.592 and accuracy 80.50 % with
// the weights of the best validation loss (epoch 6), 0.863 and 81.46 % with the last ones. More in
// docs/experiments.md.

#include "common.hpp"

int main(int argc, char** argv) {
  examples::Settings settings("early_stopping");
  CLI::App app("Trains on CIFAR-10 and compares the last weights with the best ones.");
  examples::add_flags(app, settings);
  examples::add_stopping_flags(app, settings);

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    auto train = examples::training_batches(settings, data.train, examples::normalize());

    auto model = examples::make_model(settings, data);
    rt::FusedAdam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    torch::nn::CrossEntropyLoss criterion;
    rt::Trainer trainer(model, optimizer, criterion, examples::trainer_options(settings));

    auto stopper = examples::stopper(settings);
    // The fit ends with the best weights in the model.
    examples::fit_and_report({settings, data, interrupt}, model, trainer, train, stopper);
  });
}
