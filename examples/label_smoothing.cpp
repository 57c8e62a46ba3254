// Label smoothing on CIFAR-10, the study text's experiment: the target is not 1 for the label and 0
// for the rest, but 0.8 for the label and a share of 0.2 for each other class, so that no logit has
// to grow without end. Validation and test use the plain cross entropy, so that their losses can
// be compared with those of other experiments.
//
//     label_smoothing --data FOLDER --bf16                   0.2, over the other classes
//     label_smoothing --data FOLDER --bf16 --all-classes     over all classes, as PyTorch does
//
// Measured results, beside those of the other methods: docs/experiments.md.

#include "common.hpp"

int main(int argc, char** argv) {
  examples::Settings settings("label_smoothing");
  double smoothing = 0.2;
  bool all_classes = false;
  CLI::App app("Trains on CIFAR-10 with smoothed labels.");
  examples::add_flags(app, settings);
  examples::add_stopping_flags(app, settings);
  app.add_option("--smoothing", smoothing, "what is taken from the label, in [0, 1]");
  app.add_flag("--all-classes", all_classes,
               "spread it over all classes, not the other ones alone");

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    auto train = examples::training_batches(settings, data.train, examples::normalize());

    auto model = examples::make_model(settings, data);
    rt::FusedAdam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    rt::LabelSmoothingLoss criterion(
        rt::LabelSmoothingLossOptions(data.train.dataset().num_classes())
            .smoothing(smoothing)
            .spread(all_classes ? rt::Spread::kAllClasses : rt::Spread::kOtherClasses));
    rt::Trainer trainer(model, optimizer, criterion, examples::trainer_options(settings));
    trainer.validate_with(torch::nn::CrossEntropyLoss());

    auto stopper = examples::stopper(settings);
    examples::fit_and_report({settings, data, interrupt, "training loss, smoothed labels"}, model,
                             trainer, train, stopper);
  });
}
