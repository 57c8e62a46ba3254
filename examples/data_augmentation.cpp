// Data augmentation on CIFAR-10, the study text's experiment: every image is seen a little
// differently in every epoch, so that there is always something new to learn from it.
//
//     data_augmentation --data FOLDER --bf16                      random crops and flips
//     data_augmentation --data FOLDER --bf16 --policy cutout      and a covered square
//     data_augmentation --data FOLDER --bf16 --policy mixup       and mixed pairs of images
//
// Policies: none; crop (with flips); cutout, erasing, color (each after crops and flips); mixup and
// cutmix (of crops and flips: the study text's statistical augmentation). Measured results, beside
// those of the other methods: docs/experiments.md.

#include "common.hpp"

namespace {

namespace t = rt::transforms;

/// Batches with the transforms of a policy, other than mixing.
rt::data::Batches augmented_batches(const examples::Settings& settings,
                                    const rt::data::Subset& data, const std::string& policy) {
  const t::RandomCrop crop(32, /*padding=*/4);
  const t::RandomHorizontalFlip flip;
  const t::Normalize normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5});
  const auto batches = [&](const auto& transform) {
    return examples::training_batches(settings, data, transform);
  };
  if (policy == "none") {
    return batches(t::Pipeline{normalize});
  }
  if (policy == "cutout") {
    return batches(t::Pipeline{crop, flip, normalize, t::Cutout(16)});
  }
  if (policy == "erasing") {
    return batches(t::Pipeline{crop, flip, normalize, t::RandomErasing()});
  }
  if (policy == "color") {
    const auto jitter =
        t::ColorJitterOptions().brightness(0.4).contrast(0.4).saturation(0.4).hue(0.1);
    return batches(
        t::Pipeline{crop, flip, t::ColorJitter(jitter), t::RandomGrayscale(0.1), normalize});
  }
  return batches(t::Pipeline{crop, flip, normalize});
}

}  // namespace

int main(int argc, char** argv) {
  examples::Settings settings("data_augmentation");
  std::string policy = "crop";
  CLI::App app("Trains on CIFAR-10 with augmented images.");
  examples::add_flags(app, settings);
  examples::add_stopping_flags(app, settings);
  app.add_option("--policy", policy, "how images are changed")
      ->check(CLI::IsMember({"none", "crop", "cutout", "erasing", "color", "mixup", "cutmix"}));

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    const auto num_classes = data.train.dataset().num_classes();
    auto train = augmented_batches(settings, data.train, policy);

    auto model = examples::make_model(settings, data);
    rt::FusedAdam optimizer(model.ptr()->parameters(), torch::optim::AdamOptions(1e-3));
    torch::nn::CrossEntropyLoss
        criterion;  // takes classes, and the probabilities that mixing gives
    rt::Trainer trainer(model, optimizer, criterion, examples::trainer_options(settings));

    auto stopper = examples::stopper(settings);
    const bool mixes = policy == "mixup" || policy == "cutmix";
    const examples::Experiment experiment{settings, data, interrupt,
                                          mixes ? "training loss, mixed images" : "training loss"};
    if (policy == "mixup") {
      rt::data::MixedBatches mixed(train, t::MixUp(num_classes, 0.2));
      examples::fit_and_report(experiment, model, trainer, mixed, stopper);
    } else if (policy == "cutmix") {
      rt::data::MixedBatches mixed(train, t::CutMix(num_classes));
      examples::fit_and_report(experiment, model, trainer, mixed, stopper);
    } else {
      examples::fit_and_report(experiment, model, trainer, train, stopper);
    }
  });
}
