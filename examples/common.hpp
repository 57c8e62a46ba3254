#pragma once

// What the example programs share: flags, the choice of data, the output folder, and Ctrl-C.
// To make an experiment of your own, copy this file and one of the programs.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include <CLI/CLI.hpp>

#include <regtorch/regtorch.hpp>

namespace rt = regtorch;

namespace examples {

/// The flags that every program has; the defaults are the study text's.
struct Settings {
  explicit Settings(std::string name) : experiment(std::move(name)), out("out/" + experiment) {}

  std::string experiment;
  std::string data;
  std::string model = "resnet18";
  std::int64_t epochs = 51;
  std::int64_t patience = 0;  // 0: never stops
  double remember_below = 1.0;
  std::int64_t batch_size = 32;
  std::int64_t train_size = 0;       // 0: 30,000 of CIFAR-10, 512 of the synthetic set
  std::int64_t validation_size = 0;  // 0: 20,000 and 512
  std::string device = "cpu";
  bool bf16 = false;
  std::uint64_t seed = 0;
  int threads = 0;
  bool resume = false;
  std::filesystem::path out;  // of each experiment its own: none overwrites another's results

  std::filesystem::path checkpoint() const { return out / "training.pt"; }
  std::optional<torch::ScalarType> autocast() const {
    return bf16 ? std::make_optional(torch::kBFloat16) : std::nullopt;
  }
};

/// Those that do not say what is trained.
inline void add_common_flags(CLI::App& app, Settings& settings) {
  app.option_defaults()->always_capture_default();
  app.add_option("--data", settings.data,
                 "folder with CIFAR-10's binary version, or 'synthetic' "
                 "(default: $REGTORCH_CIFAR10_ROOT, else synthetic)");
  app.add_option("--device", settings.device, "cpu or cuda");
  app.add_flag("--bf16,!--fp32", settings.bf16, "compute in bfloat16, with float32 weights");
  app.add_option("--seed", settings.seed, "of weights, split, order and augmentation");
  app.add_option("--threads", settings.threads, "CPU threads (default: LibTorch's choice)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--out", settings.out, "folder for the results");
}

inline void add_flags(CLI::App& app, Settings& settings) {
  add_common_flags(app, settings);
  app.add_option("--model", settings.model, "resnet18, resnet34, alexnet or cnn");
  app.add_option("--epochs", settings.epochs, "passes over the training images")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--batch-size", settings.batch_size, "images in a training batch")
      ->check(CLI::PositiveNumber);
  app.add_option("--train-size", settings.train_size,
                 "training images (default: 30000; synthetic: 512)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31));
  app.add_option("--validation-size", settings.validation_size,
                 "validation images (default: 20000; synthetic: 512)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31));
}

/// The flags of programs with one fit.
inline void add_stopping_flags(CLI::App& app, Settings& settings) {
  app.add_option("--patience", settings.patience,
                 "stop after so many epochs without improvement; 0: never")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--remember-below", settings.remember_below,
                 "validation loss from which on the best weights are remembered");
  app.add_flag("--resume", settings.resume,
               "go on from training.pt in the output folder, which each epoch and Ctrl-C write");
}

/// The name of the images that need no folder.
inline constexpr const char* kSynthetic = "synthetic";

/// Training, validation and test images.
struct Data {
  std::string name;
  rt::data::Subset train;
  rt::data::Subset validation;
  rt::data::Subset test;
};

/// What --data or the environment names; "synthetic" if neither does, with a word about it.
inline std::string data_folder(const Settings& settings) {
  std::string folder = settings.data;
  if (folder.empty()) {
    const char* root = std::getenv("REGTORCH_CIFAR10_ROOT");
    folder = root != nullptr ? root : "";
  }
  if (folder.empty()) {
    std::cout << "No data folder given: using generated images. For real ones run\n"
                 "  cmake -P cmake/download_cifar10.cmake\n"
                 "and pass the folder it names with --data or in REGTORCH_CIFAR10_ROOT.\n";
    folder = kSynthetic;
  }
  return folder;
}

inline Data load_data(const Settings& settings) {
  const std::string folder = data_folder(settings);
  const bool synthetic = folder == kSynthetic;
  const auto size_or = [](std::int64_t size, std::int64_t otherwise) {
    return size > 0 ? size : otherwise;
  };
  const std::int64_t train_size = size_or(settings.train_size, synthetic ? 512 : 30000);
  const std::int64_t validation_size = size_or(settings.validation_size, synthetic ? 512 : 20000);
  if (synthetic) {
    const std::int64_t test_size = 512;
    const rt::data::SyntheticImages images(train_size + validation_size + test_size);
    auto parts =
        rt::data::random_split(images, {train_size, validation_size, test_size}, settings.seed);
    return {"synthetic", parts[0], parts[1], parts[2]};
  }
  const rt::data::CIFAR10 train(folder);
  const std::int64_t rest = static_cast<std::int64_t>(*train.size()) - train_size - validation_size;
  TORCH_CHECK_VALUE(rest >= 0, "wanted at most ", *train.size(),
                    " training and validation images, "
                    "got --train-size ",
                    train_size, " and --validation-size ", validation_size);
  auto parts = rt::data::random_split(train, {train_size, validation_size, rest}, settings.seed);
  return {"CIFAR-10", parts[0], parts[1],
          rt::data::CIFAR10(folder, rt::data::CIFAR10::Mode::kTest)};
}

/// The model that the flags name, where and how it is to be trained.
inline torch::nn::AnyModule make_model(const Settings& settings, const Data& data,
                                       rt::ModelOptions options = {}) {
  auto model =
      rt::make_model(settings.model, options.num_classes(data.train.dataset().num_classes()));
  model.ptr()->to(torch::Device(settings.device));
  rt::to_channels_last(*model.ptr());
  return model;
}

/// How programs with one fit train it.
inline rt::TrainerOptions trainer_options(const Settings& settings) {
  return rt::TrainerOptions()
      .epochs(settings.epochs)
      .autocast(settings.autocast())
      .checkpoint(settings.checkpoint());
}

/// Batches for training: a new order in every pass.
template <class Transform>
rt::data::Batches training_batches(const Settings& settings, const rt::data::Subset& data,
                                   const Transform& transform) {
  return rt::data::Batches(data, transform,
                           rt::data::BatchesOptions(settings.batch_size)
                               .shuffle(true)
                               .seed(settings.seed)
                               .memory_format(torch::MemoryFormat::ChannelsLast)
                               .device(torch::Device(settings.device)));
}

/// Batches for evaluation: larger, since no gradients are kept.
template <class Transform>
rt::data::Batches evaluation_batches(const Settings& settings, const rt::data::Subset& data,
                                     const Transform& transform) {
  return rt::data::Batches(data, transform,
                           rt::data::BatchesOptions(500)
                               .seed(settings.seed)
                               .memory_format(torch::MemoryFormat::ChannelsLast)
                               .device(torch::Device(settings.device)));
}

/// What the images of validation and test go through, and of training without augmentation.
inline rt::transforms::Pipeline<rt::transforms::Normalize> normalize() {
  return rt::transforms::Pipeline{rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})};
}

/// An experiment on its way: what the command line says, and its data.
struct Experiment {
  const Settings& settings;
  const Data& data;
  rt::StopOnInterrupt& interrupt;
  const char* train_loss = "training loss";  // in pictures; say so if it is not the validation's
};

/// Remembers the best weights by validation loss, and stops as --patience says.
inline rt::EarlyStopping stopper(const Settings& settings) {
  rt::EarlyStoppingOptions options;
  options.restore_best_weights(true).patience(std::nullopt);
  if (settings.patience > 0) {
    options.patience(settings.patience);
  }
  return rt::EarlyStopping(options);
}

/// Prints how the fit went, compares the best weights (which the model has) with the last ones on
/// the test images, and writes that to summary.json.
inline void write_summary(const Experiment& experiment, torch::nn::AnyModule& model,
                          const rt::History& history, rt::EarlyStopping& stopper, bool remembered) {
  const Settings& settings = experiment.settings;
  auto batches = evaluation_batches(settings, experiment.data.test, normalize());
  torch::nn::CrossEntropyLoss criterion;
  const auto best = rt::evaluate(model, batches, criterion, settings.autocast());
  stopper.restore_last(*model.ptr());
  const auto last = rt::evaluate(model, batches, criterion, settings.autocast());

  const auto epochs = static_cast<std::int64_t>(history.epochs.size());
  const char* stopped_by =
      experiment.interrupt.interrupted() ? "interrupt" : to_string(stopper.reason());
  const auto& at_best = history.epochs.at(static_cast<std::size_t>(stopper.best_epoch() - 1));
  std::printf("stopped by: %s, after %lld of %lld epochs\n", stopped_by,
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
    std::printf("best epoch: not remembered, since its validation loss is not low enough\n");
  }

  rt::report::JsonObject summary;
  summary.set("experiment", settings.experiment)
      .set("data", experiment.data.name)
      .set("model", settings.model)
      .set("seed", settings.seed)
      .set("epochs", epochs)
      .set("stopped_by", stopped_by)
      .set("best_epoch", stopper.best_epoch())
      .set("best_train_loss", at_best.metrics.at("train_loss"))
      .set("best_validation_loss", stopper.best())
      .set("remembered", remembered)
      .set("test_accuracy_last", last.accuracy);
  if (remembered) {
    summary.set("test_accuracy_best", best.accuracy);
  }
  rt::report::write_json(summary, settings.out / "summary.json");
}

/// Fits, and writes what every experiment shows to the output folder: each better epoch's weights
/// at once (best.pt), after each epoch what --resume goes on from (training.pt), the epochs as a
/// table and as JSON, the losses as pictures, of all epochs and of the first 15, the outcome
/// (summary.json) and the weights of the last epoch (last.pt).
///
/// @param train      batches for training
/// @param stopper    keeps the best weights
/// @param callbacks  of this experiment alone
template <class Trainer, class Batches, class... Callbacks>
void fit_and_report(const Experiment& experiment, torch::nn::AnyModule& model, Trainer& trainer,
                    Batches& train, rt::EarlyStopping& stopper, Callbacks... callbacks) {
  const auto& [settings, data, interrupt, train_loss] = experiment;
  std::printf("%s, %s: %zu training, %zu validation, %zu test images\n", settings.model.c_str(),
              data.name.c_str(), *data.train.size(), *data.validation.size(), *data.test.size());
  auto validation = evaluation_batches(settings, data.validation, normalize());
  rt::ModelCheckpoint checkpoint(rt::ModelCheckpointOptions(settings.out / "best.pt")
                                     .initial_value_threshold(settings.remember_below));
  if (settings.resume) {
    trainer.resume(settings.checkpoint());
  }
  const auto write_history = [&, &out = settings.out] {
    rt::report::write_csv(trainer.history(), out / "history.csv");
    rt::report::write_json(trainer.history(), out / "history.json");
  };
  try {
    trainer.fit(train, validation, callbacks..., stopper, checkpoint, rt::ProgressBar(), interrupt);
  } catch (...) {
    write_history();  // what there was of it
    throw;
  }
  write_history();
  const rt::History& history = trainer.history();
  if (stopper.best_epoch() == 0) {
    rt::save_state_dict(*model.ptr(), settings.out / "last.pt");
    std::printf("no epoch with a finite validation loss to report\n");
    return;
  }
  const auto pictures = rt::report::SvgOptions()
                            .title(settings.model + " on " + data.name)
                            .train_loss_name(train_loss)
                            .best_epoch(stopper.best_epoch());
  rt::report::write_svg(history, settings.out / "loss.svg", pictures);
  rt::report::write_svg(history, settings.out / "loss_first15.svg",
                        rt::report::SvgOptions(pictures).epochs(15));
  write_summary(experiment, model, history, stopper, !checkpoint.best_path().empty());
  rt::save_state_dict(*model.ptr(), settings.out / "last.pt");
  std::printf("wrote the results to %s\n", settings.out.c_str());
}

/// Parses the command line, applies what concerns the whole process, and runs the experiment; an
/// error becomes a message and exit code 1.
///
/// @param experiment  callable with a rt::StopOnInterrupt&, a callback for its fit; when Ctrl-C
///                    ended that, the exit code is 130
template <class Experiment>
int run(CLI::App& app, const Settings& settings, int argc, char** argv, Experiment experiment) {
  CLI11_PARSE(app, argc, argv);
  try {
    TORCH_CHECK_VALUE(!torch::Device(settings.device).is_cuda() || torch::cuda::is_available(),
                      "--device ", settings.device,
                      ": wanted a GPU, a driver for it and a LibTorch ", "with CUDA, got none");
    rt::use_cpu_memory_cache();
    torch::manual_seed(settings.seed);
    if (settings.threads > 0) {
      torch::set_num_threads(settings.threads);
    }
    std::filesystem::create_directories(settings.out);
    rt::StopOnInterrupt interrupt;
    experiment(interrupt);
    return interrupt.interrupted() ? rt::StopOnInterrupt::kExitCode : 0;
  } catch (const c10::Error& error) {
    std::cerr << "error: " << error.what_without_backtrace() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
  }
  return 1;
}

}  // namespace examples
