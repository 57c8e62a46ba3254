// DisturbValue on two regression problems: in every batch a random part of the targets gets noise
// added, so that none of them can be learned by heart. A small network is trained with it and
// without, on the same data from the same weights, over many seeds.
//
//     disturb_value                     20 seeds; takes about a minute
//     disturb_value --alpha 10          with this noise rate, not one chosen on validation data
//
// Noise rate and deviation are chosen by the mean validation error over seeds of their own. Test
// data chooses nothing. Writes disturb_value.md and report.html. Measured results:
// docs/experiments.md.

#include <cmath>
#include <numbers>

#include "common.hpp"

namespace {

/// A regression problem: inputs uniform in [0, 1], targets with noise of a known deviation.
struct Problem {
  const char* name;
  std::int64_t inputs;
  double noise;
  torch::Tensor (*truth)(const torch::Tensor& x);
};

const std::vector<Problem> kProblems{
    // Friedman, "Multivariate adaptive regression splines", 1991: five of ten inputs do nothing.
    {"Friedman #1", 10, 1.0,
     [](const torch::Tensor& x) {
       return 10 * torch::sin(std::numbers::pi * x.select(1, 0) * x.select(1, 1)) +
              20 * (x.select(1, 2) - 0.5).square() + 10 * x.select(1, 3) + 5 * x.select(1, 4);
     }},
    {"noisy sine", 1, 0.3,
     [](const torch::Tensor& x) { return torch::sin(4 * std::numbers::pi * x.select(1, 0)); }},
};

struct Sample {
  torch::Tensor x, y;
};

Sample draw(const Problem& problem, std::int64_t size) {
  const auto x = torch::rand({size, problem.inputs});
  return {x, problem.truth(x) + problem.noise * torch::randn({size})};
}

/// Root mean squared errors of a trained network.
struct Errors {
  double validation, test;
};

/// @param alpha  share of the targets disturbed, in percent; 0: plain training
/// @param sigma  deviation of what is added, in units of the targets' own deviation
Errors fit(const Problem& problem, std::uint64_t seed, std::int64_t epochs, double alpha,
           double sigma) {
  torch::manual_seed(seed);
  const Sample train = draw(problem, 100);
  const Sample validation = draw(problem, 1000);
  const Sample test = draw(problem, 1000);
  const auto mean = train.y.mean();
  const auto deviation = train.y.std();

  namespace nn = torch::nn;
  nn::Sequential model(nn::Linear(problem.inputs, 64), nn::ReLU(), nn::Linear(64, 64), nn::ReLU(),
                       nn::Linear(64, 1));
  rt::FusedAdam optimizer(model->parameters(), torch::optim::AdamOptions(3e-3));
  rt::DisturbValue disturb(rt::DisturbValueOptions(alpha, sigma).seed(seed));
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& batch : torch::randperm(100).split(20)) {
      const auto y = (train.y.index_select(0, batch) - mean) / deviation;
      const auto output = model->forward(train.x.index_select(0, batch)).squeeze(1);
      optimizer.zero_grad();
      torch::mse_loss(output, disturb(y)).backward();
      optimizer.step();
    }
  }
  const torch::NoGradGuard no_grad;
  const auto error = [&](const Sample& sample) {
    const auto output = model->forward(sample.x).squeeze(1) * deviation + mean;
    return torch::mse_loss(output, sample.y).sqrt().item<double>();
  };
  return {error(validation), error(test)};
}

std::string interval(const std::vector<double>& values, const char* format) {
  const auto [mean, half_width] = rt::report::confidence_interval(values);
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, mean, half_width);
  return text.data();
}

}  // namespace

int main(int argc, char** argv) {
  examples::Settings settings("disturb_value");
  std::vector<double> alphas{10, 30, 100};
  std::vector<double> sigmas{0.1, 0.5};
  std::uint64_t seeds = 20;
  settings.epochs = 200;
  CLI::App app("Regression with a part of the targets disturbed, against plain training.");
  app.option_defaults()->always_capture_default();
  app.add_option("--alpha", alphas, "noise rates in percent to choose from");
  app.add_option("--sigma", sigmas, "deviations to choose from, in units of the targets'");
  app.add_option("--seeds", seeds, "runs with and without, from --seed on")
      ->check(CLI::Range(2, 1000));
  app.add_option("--epochs", settings.epochs, "passes over the training data")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", settings.seed, "of data, weights, order and disturbance");
  app.add_option("--threads", settings.threads, "CPU threads (default: LibTorch's choice)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--out", settings.out, "folder for the results");

  return examples::run(app, settings, argc, argv, [&](rt::StopOnInterrupt& interrupt) {
    rt::report::Table table{{"problem", "alpha %", "sigma", "plain RMSE", "disturbed RMSE",
                             "difference", "noise in the targets"},
                            {}};
    std::vector<std::string> pictures;
    for (const Problem& problem : kProblems) {
      double alpha = 0;
      double sigma = 0;
      double least = std::numeric_limits<double>::infinity();
      for (const double a : alphas) {
        for (const double s : sigmas) {
          double sum = 0;
          constexpr std::uint64_t kChoosing = 5;  // seeds that the comparison does not use
          for (std::uint64_t seed = 0; seed < kChoosing; ++seed) {
            if (interrupt.interrupted()) {
              return;
            }
            sum += fit(problem, settings.seed + seeds + seed, settings.epochs, a, s).validation;
          }
          std::printf("%s, alpha %g %%, sigma %g: validation RMSE %.4f\n", problem.name, a, s,
                      sum / kChoosing);
          if (sum < least) {
            least = sum;
            alpha = a;
            sigma = s;
          }
        }
      }
      std::vector<double> plain;
      std::vector<double> disturbed;
      std::vector<double> differences;
      for (std::uint64_t seed = settings.seed; seed < settings.seed + seeds; ++seed) {
        if (interrupt.interrupted()) {
          return;
        }
        plain.push_back(fit(problem, seed, settings.epochs, 0, 0).test);
        disturbed.push_back(fit(problem, seed, settings.epochs, alpha, sigma).test);
        differences.push_back(disturbed.back() - plain.back());
      }
      const char* format = "%.4f \u00b1 %.4f";
      table.rows.push_back({problem.name, c10::str(alpha), c10::str(sigma), interval(plain, format),
                            interval(disturbed, format), interval(differences, "%+.4f \u00b1 %.4f"),
                            c10::str(problem.noise)});
      std::vector<rt::report::Bar> bars;
      for (const auto& [kind, values] : {std::pair{"plain", plain}, {"disturbed", disturbed}}) {
        const auto [mean, half_width] = rt::report::confidence_interval(values);
        bars.push_back({kind, mean, half_width, interval(values, "%.3f \u00b1 %.3f")});
      }
      pictures.push_back(rt::report::svg_bar_chart(bars, problem.name, "test RMSE"));
    }
    const auto text = c10::str("Test RMSE, mean over ", seeds,
                               " seeds with 95 % confidence intervals (Student's t; differences "
                               "are paired), 100 training samples, ",
                               settings.epochs, " epochs.");
    rt::write_file(settings.out / "disturb_value.md", c10::str(text, "\n\n", table.markdown()));
    rt::report::HtmlPage page("DisturbValue against plain training");
    page.text(text).table(table);
    for (const std::string& picture : pictures) {
      page.svg(picture);
    }
    rt::report::write_html(page, settings.out / "report.html");
    std::printf("\n%s\n\n%s\nwrote %s\n", text.c_str(), table.markdown().c_str(),
                (settings.out / "report.html").c_str());
  });
}
