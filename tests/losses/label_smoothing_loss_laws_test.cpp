// What holds for LabelSmoothingLoss on all logits, and on those that are not finite.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"

namespace label_smoothing_loss_laws_test {

namespace {

using Options = rt::LabelSmoothingLossOptions;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kRows = 35;  // not a multiple of what vector registers hold

/// A type of logits, and what a number loses in it.
struct Type {
  torch::ScalarType dtype;
  double unit;  ///< relative rounding of a stored number
  double work;  ///< relative error of the computation before
  double step;  ///< multiples of it can be stored up to 2^14
};
const std::vector<Type> kTypes{{torch::kDouble, 0x1p-53, 1e-14, 0x1p-10},
                               {torch::kFloat, 0x1p-24, 2e-6, 0x1p-10},
                               {torch::kBFloat16, 0x1p-8, 2e-6, 64},
                               {torch::kHalf, 0x1p-11, 2e-6, 8}};

torch::Tensor randn(const std::vector<std::int64_t>& shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, torch::kDouble);
}
torch::Tensor labels(std::int64_t classes) {
  return torch::arange(kRows).mul(7).remainder(classes);
}

/// Each row's loss, and its gradient with respect to that row's logits.
struct ByRow {
  torch::Tensor losses;
  torch::Tensor gradient;
};
ByRow by_row(const torch::Tensor& logits, const torch::Tensor& targets, Options options) {
  const auto x = logits.detach().clone().requires_grad_();
  const auto losses = rt::smoothed_cross_entropy(x, targets, options.reduction(torch::kNone));
  return {losses.detach(), torch::autograd::grad({losses}, {x}, {torch::ones_like(losses)})[0]};
}

/// Calls body(type, options, logits in float64 that the type can store).
template <class Body>
void for_each_kind(double size, const Body& body) {
  for (const Type& type : kTypes) {
    for (const std::int64_t classes : {2, 10, 128, 200}) {
      for (const double smoothing : {0.0, 0.1, 0.5}) {
        for (const rt::Spread spread : {rt::Spread::kOtherClasses, rt::Spread::kAllClasses}) {
          CAPTURE(type.dtype, classes, smoothing, spread == rt::Spread::kAllClasses);
          body(type, Options(classes).smoothing(smoothing).spread(spread),
               (size * randn({kRows, classes}, 1)).to(type.dtype).to(torch::kDouble));
        }
      }
    }
  }
}

/// The target rows t' of the formula.
torch::Tensor smoothed_targets(const torch::Tensor& of, const Options& options) {
  const auto classes = static_cast<double>(options.num_classes());
  const double s = options.smoothing();
  const auto one_hot = torch::one_hot(of, options.num_classes()).to(torch::kDouble);
  return options.spread() == rt::Spread::kAllClasses
             ? (1 - s) * one_hot + s / classes
             : (1 - s) * one_hot + s / (classes - 1) * (1 - one_hot);
}

}  // namespace

// loss = log sum_c e^x_c - t' x, with t' x = sum_c t'_c x_c, sum_c t'_c = 1 and t'_c >= 0. As the
// logarithm lies between max x and max x + log K, so does the loss between max x - t' x and that
// plus log K. And it is the entropy of t' plus the divergence of softmax(x) from it, so at least
// the entropy.
TEST_CASE("LabelSmoothingLoss lies between its bounds", "[losses]") {
  for (const double size : {0.01, 1.0, 5.0, 1000.0}) {
    for_each_kind(size, [&](const Type& type, const Options& options, const torch::Tensor& x) {
      const auto targets = labels(options.num_classes());
      const auto t = smoothed_targets(targets, options);
      const auto losses = by_row(x.to(type.dtype), targets, options).losses.to(torch::kDouble);
      const auto entropy = -torch::special::xlogy(t, t).sum(1);
      const auto least = std::get<0>(x.max(1)) - (t * x).sum(1);
      const double log_classes = std::log(static_cast<double>(options.num_classes()));
      const auto slack = (type.unit + type.work) * (1 + log_classes + least.abs());
      CHECK((losses - least + slack).min().item<double>() >= 0);
      CHECK((losses - entropy + slack).min().item<double>() >= 0);
      CHECK((least + log_classes + slack - losses).min().item<double>() >= 0);
    });
  }
}

TEST_CASE("LabelSmoothingLoss's gradient sums to 0 in each row", "[losses]") {
  for_each_kind(3, [](const Type& type, const Options& options, const torch::Tensor& x) {
    const auto targets = labels(options.num_classes());
    const auto gradient = by_row(x.to(type.dtype), targets, options).gradient.to(torch::kDouble);
    // Each element is rounded, to 2^-25 at best in float16; all of them sum to 2 at most.
    const double classes = static_cast<double>(options.num_classes());
    const double least = type.dtype == torch::kHalf ? 0x1p-25 * classes : 0;
    CHECK((gradient.sum(1).abs() - type.unit * gradient.abs().sum(1)).max().item<double>() <=
          2 * type.work + least);
    CHECK(gradient.abs().sum(1).max().item<double>() > 0.5);  // of something
  });
}

TEST_CASE("LabelSmoothingLoss does not change with a constant added to the logits", "[losses]") {
  for_each_kind(3, [](const Type& type, const Options& options, const torch::Tensor& x) {
    const auto targets = labels(options.num_classes());
    // So that adding the constant rounds nothing.
    const auto near = (x * std::max(1.0, type.step) / type.step).round() * type.step;
    const auto wanted = by_row(near.to(type.dtype), targets, options);
    for (const double constant : {-9984.0, 9984.0}) {  // about 1e4, and a multiple of each step
      REQUIRE((near + constant).to(type.dtype).to(torch::kDouble).equal(near + constant));
      const auto got = by_row((near + constant).to(type.dtype), targets, options);
      // No more than rounding: of the loss, and of the elements of the gradient.
      const double bound = type.unit + type.work;
      CHECK(got.losses.allclose(wanted.losses, 2 * bound, bound));
      CHECK(got.gradient.allclose(wanted.gradient, 2 * bound, bound));
    }
  });
}

TEST_CASE("LabelSmoothingLoss of logits that are not finite", "[losses]") {
  for_each_kind(3, [](const Type& type, const Options& options, const torch::Tensor& finite) {
    const std::int64_t classes = options.num_classes();
    const std::int64_t last = classes - 1;
    auto targets = labels(classes);
    targets.slice(0, 0, 7).fill_(0);
    auto x = finite.clone();
    x[0][last] = kNan;
    x[1][0] = kNan;
    x[2][last] = kInfinity;
    x[3].fill_(-kInfinity);
    x[4].fill_(kNan);
    targets[4] = options.ignore_index();
    x[5][last] = -kInfinity;  // not the target
    x[6][0] = -kInfinity;     // the target
    const auto t = smoothed_targets(targets.clamp_min(0), options);

    for (const bool strided : {false, true}) {  // those are computed by ATen's operators
      CAPTURE(strided);
      // With the classes in the midst the rows lie in [N,K,1].
      const auto shaped = [&](const torch::Tensor& of) {
        return strided ? of.to(type.dtype).unsqueeze(2) : of.to(type.dtype);
      };
      const auto labels_of = strided ? targets.unsqueeze(1) : targets;
      ByRow got = by_row(shaped(x), labels_of, options);
      ByRow plain = by_row(shaped(finite), labels_of, options);
      for (ByRow* each : {&got, &plain}) {
        each->losses = each->losses.reshape({kRows});
        each->gradient = each->gradient.reshape({kRows, classes});
      }
      CHECK(got.losses.slice(0, 0, 4).isnan().all().item<bool>());
      CHECK(got.gradient.slice(0, 0, 4).isnan().all().item<bool>());
      CHECK(got.losses[4].item<double>() == 0);
      CHECK(got.gradient[4].eq(0).all().item<bool>());
      if (options.smoothing() == 0) {
        const auto without = x[5].slice(0, 0, last);
        CHECK(got.losses[5].item<double>() ==
              Approx((without.logsumexp(0) - x[5][0]).item<double>())
                  .epsilon(type.unit + type.work)
                  .margin(type.work));
      }
      CHECK(std::isinf(got.losses[5].item<double>()) == (options.smoothing() > 0));
      if ((t[6][0] > t[6][last]).item<bool>()) {
        CHECK(got.losses[6].item<double>() == kInfinity);
      } else {
        CHECK(std::isnan(got.losses[6].item<double>()));
      }
      const auto p = x.to(type.dtype).to(torch::kDouble).softmax(1);
      for (const std::int64_t row : {5, 6}) {
        CHECK(got.gradient[row]
                  .to(torch::kDouble)
                  .allclose(p[row] - t[row], type.unit,
                            type.work + (type.dtype == torch::kHalf ? 0x1p-25 : 0)));
      }
      // The other rows are what they are without these.
      CHECK(got.losses.slice(0, 7).equal(plain.losses.slice(0, 7)));
      CHECK(got.gradient.slice(0, 7).equal(plain.gradient.slice(0, 7)));
    }
    // A mean has the nan; the gradient of each row is its own.
    const auto y = x.to(type.dtype).requires_grad_();
    const auto mean = rt::smoothed_cross_entropy(y, targets, options);
    CHECK(mean.isnan().item<bool>());
    const auto gradient = torch::autograd::grad({mean}, {y})[0];
    CHECK(gradient.slice(0, 0, 4).isnan().all().item<bool>());
    CHECK(gradient.slice(0, 4).isfinite().all().item<bool>());
  });
}

TEST_CASE("LabelSmoothingLoss of probabilities, and logits that are not finite", "[losses]") {
  for (const Type& type : kTypes) {
    CAPTURE(type.dtype);
    const auto finite = randn({6, 5}, 1).to(type.dtype).to(torch::kDouble);
    auto t = randn({6, 5}, 2).softmax(1);
    t[4] = torch::tensor({0.25, 0.25, 0.25, 0.25, 0.0}, torch::kDouble);
    auto x = finite.clone();
    x[0][2] = kNan;
    x[1][2] = kInfinity;
    x[2].fill_(-kInfinity);
    x[3][4] = -kInfinity;
    x[4][4] = -kInfinity;
    for (const double smoothing : {0.0, 0.1}) {
      const auto options = Options(5).smoothing(smoothing);
      const auto got = by_row(x.to(type.dtype), t.to(type.dtype), options);
      const auto plain = by_row(finite.to(type.dtype), t.to(type.dtype), options);
      CHECK(got.losses.slice(0, 0, 3).isnan().all().item<bool>());
      CHECK(got.gradient.slice(0, 0, 3).isnan().all().item<bool>());
      CHECK(got.losses[3].item<double>() == kInfinity);
      CHECK(got.gradient.slice(0, 3).isfinite().all().item<bool>());
      CHECK((smoothing == 0 ? std::isnan(got.losses[4].item<double>())
                            : got.losses[4].item<double>() == kInfinity));
      CHECK(got.losses[5].equal(plain.losses[5]));
      CHECK(got.gradient[5].equal(plain.gradient[5]));
    }
  }
}

}  // namespace label_smoothing_loss_laws_test
