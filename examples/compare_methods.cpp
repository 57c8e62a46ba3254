// The seven methods against overfitting, compared: the same model on the same split without any of
// them, with each of them alone, and with all together, over several seeds.
//
//     compare_methods --data FOLDER --model cnn --epochs 30 --seeds 3
//     compare_methods --data FOLDER --model resnet18 --bf16 --train-size 5000 --epochs 10 --seeds 2
//
// Methods with a strength (weight decay, dropout rate, noise rate, smoothing) are tried with each
// of two on the first seed; the one of the higher validation accuracy is used. Test images choose
// nothing. A run that diverges is reported as such. Each finished run is kept in OUT/runs, and not
// run again when the program, cut off, is started again. Writes report.html (a table and two
// pictures in one page), methods.md, accuracy.svg and validation_loss.svg. Measured results:
// docs/experiments.md.

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "common.hpp"

namespace {

/// Everything about a run that a method may change; as it stands, the baseline's.
struct Recipe {
  bool augment = false;
  double weight_decay = 0;
  double dropout = 0;
  bool batch_norm = false;
  double alpha = 0;  // of DisturbLabel, in percent
  double smoothing = 0;
};

/// A row of the comparison.
struct Method {
  std::string name;
  std::vector<double> strengths;  // to choose from; none for a method that has no strength
  void (*apply)(Recipe&, double strength);
};

const std::vector<Method> kMethods{
    {"baseline", {}, [](Recipe&, double) {}},
    {"data augmentation", {}, [](Recipe& r, double) { r.augment = true; }},
    {"L2", {1e-3, 1e-4}, [](Recipe& r, double x) { r.weight_decay = x; }},
    {"dropout", {0.5, 0.25}, [](Recipe& r, double x) { r.dropout = x; }},
    {"batch norm", {}, [](Recipe& r, double) { r.batch_norm = true; }},
    {"DisturbLabel", {30, 10}, [](Recipe& r, double x) { r.alpha = x; }},
    {"label smoothing", {0.2, 0.1}, [](Recipe& r, double x) { r.smoothing = x; }},
};

constexpr double kLearningRate = 1e-3;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What came of a run: shares in [0, 1], seconds of training. As it stands, of one that diverged.
struct Outcome {
  double train_accuracy = kNaN, validation_accuracy = kNaN, test_accuracy = kNaN;  // at the end
  double seconds = kNaN;
  double best_epoch = kNaN, best_train_accuracy = kNaN, best_test_accuracy = kNaN;
  std::vector<double> validation_loss;  // of each epoch, by true labels

  bool diverged() const { return std::isnan(test_accuracy); }
};

/// The numbers of an outcome, in the order in which its file holds them.
constexpr std::array kNumbers{&Outcome::train_accuracy,    &Outcome::validation_accuracy,
                              &Outcome::test_accuracy,     &Outcome::seconds,
                              &Outcome::best_epoch,        &Outcome::best_train_accuracy,
                              &Outcome::best_test_accuracy};

void save(const Outcome& outcome, const std::filesystem::path& file) {
  std::vector<double> numbers;
  for (const auto number : kNumbers) {
    numbers.push_back(outcome.*number);
  }
  rt::TensorDict state;
  state.insert("numbers", torch::tensor(numbers, torch::kDouble));
  state.insert("validation_loss", torch::tensor(outcome.validation_loss, torch::kDouble));
  rt::save_state_dict(state, file);
}

Outcome load(const std::filesystem::path& file) {
  const rt::TensorDict state = rt::load_state_dict(file);
  const torch::Tensor numbers = state["numbers"];
  const torch::Tensor losses = state["validation_loss"];
  TORCH_CHECK_VALUE(numbers.numel() == static_cast<std::int64_t>(kNumbers.size()), file,
                    ": wanted ", kNumbers.size(), " numbers, got ", numbers.numel(),
                    "; remove it to run that again");
  Outcome outcome;
  for (std::size_t i = 0; i < kNumbers.size(); ++i) {
    outcome.*kNumbers[i] = numbers.const_data_ptr<double>()[i];
  }
  outcome.validation_loss.assign(losses.const_data_ptr<double>(),
                                 losses.const_data_ptr<double>() + losses.numel());
  return outcome;
}

/// Trains one model as `recipe` says. Without a value if Ctrl-C came.
std::optional<Outcome> train(const examples::Settings& base, const examples::Data& data,
                             const Recipe& recipe, std::uint64_t seed,
                             rt::StopOnInterrupt& interrupt) {
  examples::Settings settings = base;
  settings.seed = seed;
  torch::manual_seed(seed);
  const auto num_classes = data.train.dataset().num_classes();
  auto model = examples::make_model(
      settings, data, rt::ModelOptions().batch_norm(recipe.batch_norm).dropout(recipe.dropout));
  rt::FusedAdam optimizer(
      model.ptr()->parameters(),
      torch::optim::AdamOptions(kLearningRate).weight_decay(recipe.weight_decay));
  rt::LabelSmoothingLoss criterion(
      rt::LabelSmoothingLossOptions(num_classes).smoothing(recipe.smoothing));
  rt::Trainer trainer(model, optimizer, criterion,
                      rt::TrainerOptions().epochs(settings.epochs).autocast(settings.autocast()));
  trainer.validate_with(torch::nn::CrossEntropyLoss());
  trainer.disturb_labels(
      rt::DisturbLabel(rt::DisturbLabelOptions(recipe.alpha, num_classes).seed(seed)));

  auto plain = examples::training_batches(settings, data.train, examples::normalize());
  auto augmented = examples::training_batches(
      settings, data.train,
      rt::transforms::Pipeline{rt::transforms::RandomCrop(32, /*padding=*/4),
                               rt::transforms::RandomHorizontalFlip(),
                               rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})});
  auto validation = examples::evaluation_batches(settings, data.validation, examples::normalize());
  rt::EarlyStopping stopper(rt::EarlyStoppingOptions()
                                .patience(std::nullopt)
                                .check_finite(false)
                                .restore_best_weights(true));
  rt::History history;
  try {
    history = trainer.fit(recipe.augment ? augmented : plain, validation, stopper, interrupt);
  } catch (const rt::NonFiniteLoss& error) {
    std::printf("%s\n", error.what_without_backtrace());
    return Outcome{};
  }
  if (static_cast<std::int64_t>(history.epochs.size()) < settings.epochs) {
    return std::nullopt;
  }
  if (stopper.best_epoch() == 0) {
    return Outcome{};  // no finite validation loss in any epoch
  }

  const auto accuracy = [&](const rt::data::Subset& part) {
    auto batches = examples::evaluation_batches(settings, part, examples::normalize());
    return rt::evaluate(model, batches, criterion, settings.autocast()).accuracy;
  };
  Outcome outcome;
  outcome.best_epoch = static_cast<double>(stopper.best_epoch());
  outcome.best_train_accuracy = accuracy(data.train);  // the fit ended with the best weights
  outcome.best_test_accuracy = accuracy(data.test);
  const bool last_is_best = outcome.best_epoch == static_cast<double>(settings.epochs);
  stopper.restore_last(*model.ptr());
  outcome.train_accuracy = last_is_best ? outcome.best_train_accuracy : accuracy(data.train);
  outcome.test_accuracy = last_is_best ? outcome.best_test_accuracy : accuracy(data.test);
  outcome.validation_accuracy = history.metric("val_accuracy").back();
  outcome.validation_loss = history.metric("val_loss");
  outcome.seconds = 0;
  for (const auto& epoch : history.epochs) {
    outcome.seconds += epoch.metrics.at("train_seconds");
  }
  return outcome;
}

std::string text(const char* format, auto... values) {
  std::array<char, 200> buffer;
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

/// Runs are kept with the settings they were made with: others must not be mixed with them.
void check_settings(const examples::Settings& settings, const examples::Data& data) {
  rt::report::JsonObject object;
  object
      .set("regtorch", c10::str(REGTORCH_VERSION_MAJOR, ".", REGTORCH_VERSION_MINOR, ".",
                                REGTORCH_VERSION_PATCH))
      .set("data", data.name)
      .set("model", settings.model)
      .set("train_size", static_cast<std::int64_t>(*data.train.size()))
      .set("validation_size", static_cast<std::int64_t>(*data.validation.size()))
      .set("epochs", settings.epochs)
      .set("batch_size", settings.batch_size)
      .set("learning_rate", kLearningRate)
      .set("bf16", settings.bf16)
      .set("device", settings.device)
      .set("seed", settings.seed);
  const auto file = settings.out / "settings.json";
  std::ifstream stream(file);
  std::stringstream before;
  before << stream.rdbuf();
  TORCH_CHECK_VALUE(stream.is_open() || !std::filesystem::exists(settings.out / "runs"),
                    settings.out,
                    " holds runs of unknown settings: wanted its settings.json, got "
                    "none. Give another --out, or remove it.");
  TORCH_CHECK_VALUE(!stream.is_open() || before.str() == object.text(), settings.out,
                    " holds runs of other settings: wanted\n", object.text(), "got\n", before.str(),
                    "Give another --out, or remove it.");
  rt::report::write_json(object, file);
}

/// The comparison: runs what is missing, and remembers every outcome.
class Comparison {
 public:
  Comparison(const examples::Settings& settings, const examples::Data& data,
             rt::StopOnInterrupt& interrupt)
      : settings_(settings), data_(data), interrupt_(interrupt) {
    std::filesystem::create_directories(settings.out / "runs");
  }

  /// The outcome of a run, from its file if it was made before; empty after Ctrl-C.
  std::optional<Outcome> run(const std::string& name, const Recipe& recipe, std::uint64_t seed) {
    const auto file = settings_.out / "runs" /
                      (name + text(" seed %llu.pt", static_cast<unsigned long long>(seed)));
    if (std::filesystem::exists(file)) {
      return load(file);
    }
    auto outcome = train(settings_, data_, recipe, seed, interrupt_);
    if (outcome.has_value()) {
      save(*outcome, file);
      if (outcome->diverged()) {
        std::printf("%-24s seed %llu: diverged\n", name.c_str(),
                    static_cast<unsigned long long>(seed));
        return outcome;
      }
      std::printf("%-24s seed %llu: train %6.2f %%, validation %6.2f %%, test %6.2f %%, %.0f s\n",
                  name.c_str(), static_cast<unsigned long long>(seed),
                  100 * outcome->train_accuracy, 100 * outcome->validation_accuracy,
                  100 * outcome->test_accuracy, outcome->seconds);
      std::fflush(stdout);
    }
    return outcome;
  }

  /// The same with every seed.
  std::vector<Outcome> run_all(const std::string& name, const Recipe& recipe, std::uint64_t seeds) {
    std::vector<Outcome> outcomes;
    for (std::uint64_t seed = settings_.seed; seed < settings_.seed + seeds; ++seed) {
      const auto outcome = run(name, recipe, seed);
      if (!outcome.has_value()) {
        break;
      }
      outcomes.push_back(*outcome);
    }
    return outcomes;
  }

 private:
  const examples::Settings& settings_;
  const examples::Data& data_;
  rt::StopOnInterrupt& interrupt_;
};

/// A method with all its runs, for the report.
struct Row {
  std::string name;
  std::vector<Outcome> outcomes;
  bool best_epoch;

  std::vector<double> each(double Outcome::*last, double Outcome::*best) const {
    std::vector<double> values;
    for (const Outcome& outcome : outcomes) {
      values.push_back(outcome.*(best_epoch ? best : last));
    }
    return values;
  }
  std::vector<double> test() const {
    return each(&Outcome::test_accuracy, &Outcome::best_test_accuracy);
  }
  double mean(double Outcome::*last, double Outcome::*best) const {
    return rt::report::confidence_interval(each(last, best)).mean;
  }
  /// How many runs diverged: if any did, the method has no results.
  std::int64_t diverged() const {
    return std::count_if(outcomes.begin(), outcomes.end(),
                         [](const Outcome& outcome) { return outcome.diverged(); });
  }
};

/// "1.23 ± 0.45", in percent; without an interval where one value is all there is.
std::string percent(const std::vector<double>& values, const char* format = "%.2f") {
  const auto [mean, half_width] = rt::report::confidence_interval(values);
  const std::string number = text(format, 100 * mean);
  return std::isfinite(half_width) ? number + text(" \u00b1 %.2f", 100 * half_width) : number;
}

void write_report(const examples::Settings& settings, const examples::Data& data,
                  const std::vector<Row>& rows, const rt::report::Table& choices) {
  rt::report::Table table{
      {"method", "train %", "test %", "against baseline", "gap", "best epoch", "seconds"}, {}};
  std::vector<rt::report::Bar> bars;
  std::vector<rt::report::Curve> curves;
  const auto baseline = rows.front().test();
  const bool comparable = rows.front().diverged() == 0;
  for (const Row& row : rows) {
    if (row.diverged() > 0) {
      table.rows.push_back({row.name, "",
                            c10::str("diverged: ", row.diverged(), " of ", row.outcomes.size()), "",
                            "", "", ""});
      continue;
    }
    const auto test = row.test();
    std::vector<double> differences;
    for (std::size_t i = 0; i < test.size(); ++i) {
      differences.push_back(test[i] - baseline[i]);
    }
    const double train = row.mean(&Outcome::train_accuracy, &Outcome::best_train_accuracy);
    const auto [mean, half_width] = rt::report::confidence_interval(test);
    table.rows.push_back({row.name, text("%.2f", 100 * train), percent(test),
                          comparable && &row != &rows.front() ? percent(differences, "%+.2f") : "",
                          text("%.2f", 100 * (train - mean)),
                          text("%.1f", row.mean(&Outcome::best_epoch, &Outcome::best_epoch)),
                          text("%.1f", row.mean(&Outcome::seconds, &Outcome::seconds))});
    bars.push_back({row.name, 100 * mean, 100 * half_width, percent(test)});
    if (row.best_epoch && &row != &rows.back()) {
      continue;  // early stopping's curve is the baseline's
    }
    rt::report::Curve curve{row.name, {}, {}};
    for (std::size_t epoch = 0; epoch < row.outcomes.front().validation_loss.size(); ++epoch) {
      double sum = 0;
      for (const Outcome& outcome : row.outcomes) {
        sum += outcome.validation_loss[epoch];
      }
      curve.xs.push_back(static_cast<double>(epoch + 1));
      curve.ys.push_back(sum / static_cast<double>(row.outcomes.size()));
    }
    curves.push_back(curve);
  }
  TORCH_CHECK(!bars.empty(), "wanted a method that does not diverge, got none");
  const std::string accuracy = rt::report::svg_bar_chart(bars, settings.model + " on " + data.name,
                                                         "test accuracy in percent");
  const std::string losses = rt::report::svg_line_chart(
      curves, {"Validation loss, mean over the seeds", "epoch", "cross entropy"}, std::nullopt);

  const std::string setting =
      c10::str(settings.model, " on ", data.name, ": ", *data.train.size(), " training, ",
               *data.validation.size(), " validation and ", *data.test.size(), " test images, ",
               settings.epochs, " epochs of Adam with a learning rate of 0.001, batches of ",
               settings.batch_size, settings.bf16 ? ", bfloat16" : "",
               "; seeds: ", rows.front().outcomes.size(), ".");
  const char* explanation =
      "Accuracies are those of the last epoch's weights, for early stopping and for all together "
      "those of the epoch with the best validation loss, saved and restored: they train as long as "
      "the others. Seconds are of training alone. Intervals hold the mean over seeds (of weights, "
      "order and augmentation, with one split and one test set) with 95 % confidence (Student's t, "
      "each by itself); differences are paired by seed. "
      "The gap is the training accuracy, on images as they are, less the test accuracy.";
  const char* chosen =
      "Strengths were chosen by validation accuracy in percent, on the first seed:";
  rt::write_file(settings.out / "accuracy.svg", accuracy);
  rt::write_file(settings.out / "validation_loss.svg", losses);
  rt::write_file(settings.out / "methods.md",
                 c10::str(setting, "\n\n", table.markdown(), "\n", explanation, "\n\n", chosen,
                          "\n\n", choices.markdown()));
  rt::report::write_html(rt::report::HtmlPage("Seven methods against overfitting")
                             .text(setting)
                             .table(table)
                             .text(explanation)
                             .svg(accuracy)
                             .svg(losses)
                             .text(chosen)
                             .table(choices),
                         settings.out / "report.html");
  std::printf("\n%s\n%s\n%s\n\n%s\nwrote %s\n", setting.c_str(), table.markdown().c_str(), chosen,
              choices.markdown().c_str(), (settings.out / "report.html").c_str());
}

}  // namespace

int main(int argc, char** argv) {
  examples::Settings settings("compare_methods");
  settings.model = "cnn";
  settings.epochs = 30;
  std::uint64_t seeds = 3;
  CLI::App app("Compares seven methods against overfitting, alone and together.");
  examples::add_flags(app, settings);
  app.add_option("--seeds", seeds, "runs of each method, from --seed on")
      ->check(CLI::PositiveNumber);

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    const examples::Data data = examples::load_data(settings);
    check_settings(settings, data);
    Comparison comparison(settings, data, interrupt);

    std::vector<Row> rows;
    rt::report::Table choices{{"method", "strength", "validation %", "chosen"}, {}};
    Recipe everything;
    for (const Method& method : kMethods) {
      double strength = method.strengths.empty() ? 0 : method.strengths.front();
      double best = -1;
      std::vector<std::pair<double, double>> tried;
      for (const double candidate : method.strengths) {
        Recipe recipe;
        method.apply(recipe, candidate);
        const auto outcome =
            comparison.run(text("%s %g", method.name.c_str(), candidate), recipe, settings.seed);
        if (!outcome.has_value()) {
          return;
        }
        tried.emplace_back(candidate, outcome->validation_accuracy);
        if (outcome->validation_accuracy > best) {
          best = outcome->validation_accuracy;
          strength = candidate;
        }
      }
      for (const auto& [candidate, accuracy] : tried) {
        choices.rows.push_back({method.name, text("%g", candidate),
                                std::isnan(accuracy) ? "diverged" : text("%.2f", 100 * accuracy),
                                candidate == strength ? "yes" : ""});
      }
      Recipe recipe;
      method.apply(recipe, strength);
      method.apply(everything, strength);
      const std::string name =
          tried.empty() ? method.name : text("%s %g", method.name.c_str(), strength);
      rows.push_back({name, comparison.run_all(name, recipe, seeds), false});
      if (interrupt.interrupted()) {
        return;
      }
    }
    rows.insert(rows.begin() + 2, Row{"early stopping", rows.front().outcomes, true});
    const std::string all = text("all together %g %g %g %g", everything.weight_decay,
                                 everything.dropout, everything.alpha, everything.smoothing);
    rows.push_back({"all together", comparison.run_all(all, everything, seeds), true});
    if (!interrupt.interrupted()) {
      write_report(settings, data, rows, choices);
    }
  });
}
