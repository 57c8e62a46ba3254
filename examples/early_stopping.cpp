// Early stopping on CIFAR-10, the study text's experiment: ResNet-18 trained by Adam until it
// overfits, and the weights of the best validation loss against those of the last epoch.
//
//     early_stopping --data FOLDER --bf16           51 epochs, never stopping, remembering the best
//     early_stopping --data FOLDER --patience 3     stopping after 3 epochs without improvement
//
// Measured on 2 cores of a Xeon with AVX-512, bf16 and AMX at 2.6 GHz, LibTorch 2.13.0, g++ 12.2,
// with --bf16 --epochs 8: 183 s of training an epoch, test accuracy 80.50 % with the best weights
// (epoch 6), 79.95 % with the last ones. More in docs/experiments.md.

#include "common.hpp"

int main(int argc, char** argv) {
  examples::Settings settings;
  std::int64_t patience = 0;
  double remember_below = 1.0;
  CLI::App app("Trains on CIFAR-10 and compares the last weights with the best ones.");
  examples::add_flags(app, settings);
  app.add_option("--patience", patience, "stop after so many epochs without improvement; 0: never")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--remember-below", remember_below,
                 "validation loss from which on the best weights are remembered");

  return examples::run(app, settings, argc, argv, [&] {
    const examples::Data data = examples::load_data(settings);
    const rt::transforms::Pipeline normalize{
        rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})};
    auto train = examples::training_batches(settings, data.train, normalize);
    auto validation = examples::evaluation_batches(settings, data.validation, normalize);
    auto test = examples::evaluation_batches(settings, data.test, normalize);

    auto model = examples::make_model(settings, data);
    torch::optim::Adam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    torch::nn::CrossEntropyLoss criterion;

    rt::EarlyStoppingOptions stopping;
    stopping.restore_best_weights(true).patience(std::nullopt);
    if (patience > 0) {
      stopping.patience(patience);
    }
    rt::EarlyStopping stopper(stopping);
    rt::Trainer trainer(model, optimizer, criterion,
                        rt::TrainerOptions().epochs(settings.epochs).autocast(settings.autocast()));

    std::printf("%s, %s: %zu training, %zu validation, %zu test images\n", settings.model.c_str(),
                data.name.c_str(), *data.train.size(), *data.validation.size(), *data.test.size());
    const rt::History history = trainer.fit(train, validation, stopper, examples::PrintEpochs());
    rt::report::write_csv(history, settings.out / "history.csv");
    TORCH_CHECK(stopper.best_epoch() > 0,
                "wanted an epoch with a finite validation loss, got none in ",
                history.epochs.size(), " epochs");

    // The fit ended with the best weights in the model.
    const auto best = rt::evaluate(model, test, criterion, settings.autocast());
    const bool remembered = stopper.best() < remember_below;
    if (remembered) {
      rt::save_state_dict(*model.ptr(), settings.out / "best.pt");
    }
    stopper.restore_last(*model.ptr());
    const auto last = rt::evaluate(model, test, criterion, settings.autocast());

    const auto epochs = static_cast<std::int64_t>(history.epochs.size());
    const auto& at_best = history.epochs.at(static_cast<std::size_t>(stopper.best_epoch() - 1));
    std::printf("stopped by: %s, after %lld of %lld epochs\n", to_string(stopper.reason()),
                static_cast<long long>(epochs), static_cast<long long>(settings.epochs));
    std::printf("last epoch: test accuracy %.2f %%, test loss %.4f\n", 100 * last.accuracy,
                last.loss);
    std::printf("best epoch: %lld (train loss %.4f, validation loss %.4f)\n",
                static_cast<long long>(stopper.best_epoch()), at_best.metrics.at("train_loss"),
                stopper.best());
    if (remembered) {
      std::printf("best epoch: test accuracy %.2f %%, test loss %.4f\n", 100 * best.accuracy,
                  best.loss);
    } else {
      std::printf("best epoch: not remembered, since its validation loss is not below %g\n",
                  remember_below);
    }

    const auto pictures = rt::report::SvgOptions().title(settings.model + " on " + data.name);
    rt::report::write_svg(history, settings.out / "loss.svg", pictures);
    rt::report::write_svg(history, settings.out / "loss_first15.svg",
                          rt::report::SvgOptions(pictures).epochs(15));
    rt::report::JsonObject summary;
    summary.set("experiment", "early_stopping")
        .set("data", data.name)
        .set("model", settings.model)
        .set("seed", settings.seed)
        .set("epochs", epochs)
        .set("stopped_by", to_string(stopper.reason()))
        .set("best_epoch", stopper.best_epoch())
        .set("best_train_loss", at_best.metrics.at("train_loss"))
        .set("best_validation_loss", stopper.best())
        .set("remembered", remembered)
        .set("test_accuracy_last", last.accuracy);
    if (remembered) {
      summary.set("test_accuracy_best", best.accuracy);
    }
    rt::report::write_json(summary, settings.out / "summary.json");
    std::printf("wrote the results to %s\n", settings.out.c_str());
  });
}
