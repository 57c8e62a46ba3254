#include "regtorch/losses/label_smoothing_loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "regtorch/core/autocast.hpp"

namespace label_smoothing_loss_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Options = rt::LabelSmoothingLossOptions;
namespace functional = torch::nn::functional;

torch::Tensor randn(const std::vector<std::int64_t>& shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, torch::kDouble);
}

/// Integer targets for logits of this shape; of each 4 one is `ignored`, but never the first.
torch::Tensor hard_targets(std::vector<std::int64_t> shape, std::int64_t dim, std::int64_t ignored,
                           bool some_ignored = true) {
  const auto place = shape.begin() + (dim < 0 ? dim + std::int64_t(shape.size()) : dim);
  const std::int64_t classes = *place;
  shape.erase(place);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{11});
  auto targets = torch::randint(classes, shape, generator, torch::kLong);
  auto flat = targets.view(-1);
  flat[0] = 0;
  if (some_ignored) {
    for (std::int64_t i = 2; i < flat.numel(); i += 4) {
      flat[i] = ignored;
    }
  }
  return targets;
}

/// Every way of asking for the loss of some logits and targets.
struct Case {
  std::vector<std::int64_t> shape;
  std::int64_t dim = 1;
  bool soft = false;
  double smoothing = 0;
  bool weighted = false;
  std::int64_t ignore_index = -100;
  bool some_ignored = true;
  Options::reduction_t reduction = torch::kMean;

  std::int64_t classes() const {
    return shape.size() == 1 ? shape[0] : shape[dim < 0 ? shape.size() + dim : dim];
  }
  std::int64_t class_dim() const {
    return shape.size() == 1 ? 0 : dim < 0 ? std::int64_t(shape.size()) + dim : dim;
  }
  torch::Tensor logits() const { return 3 * randn(shape, 1); }
  torch::Tensor targets() const {
    return soft ? (2 * randn(shape, 2)).softmax(class_dim())
                : hard_targets(shape, class_dim(), ignore_index, some_ignored);
  }
  torch::Tensor weight() const {
    return weighted ? randn({classes()}, 3).abs() + 0.1 : torch::Tensor();
  }
  Options options(rt::Spread spread) const {
    return Options(classes())
        .smoothing(smoothing)
        .spread(spread)
        .ignore_index(ignore_index)
        .weight(weight())
        .reduction(reduction)
        .dim(dim);
  }
  std::string words() const {
    std::ostringstream text;
    text << at::IntArrayRef(shape) << " dim " << dim << (soft ? " soft" : " hard") << " smoothing "
         << smoothing << (weighted ? " weighted " : " ") << ignore_index << " some ignored "
         << some_ignored << " " << torch::enumtype::get_enum_name(reduction);
    return text.str();
  }
};

/// A shape of logits, and its classes' dimension.
using Shape = std::pair<std::vector<std::int64_t>, std::int64_t>;

const std::vector<Shape> kShapes{
    {{1, 2}, 1},    {{33, 10}, 1},      {{33, 2}, -1},        {{3, 1000}, 1},     {{5}, 1},
    {{4, 3, 5}, 1}, {{2, 3, 4, 3}, -1}, {{2, 3, 2, 3, 2}, 1}, {{2, 4, 3, 3}, -3}, {{3, 7}, 0}};
/// Where each element costs another evaluation or two.
const std::vector<Shape> kSmallShapes{{{3, 4}, 1}, {{2, 2, 3}, -1}, {{5}, 1}};

std::vector<Case> cases(const std::vector<Shape>& shapes) {
  std::vector<Case> result;
  for (const auto& [shape, dim] : shapes) {
    for (const bool soft : {false, true}) {
      for (const double smoothing : {0.0, 0.1, 1.0}) {
        for (const bool weighted : {false, true}) {
          for (const std::int64_t ignore_index : {-100, 1}) {
            for (const bool some_ignored : {false, true}) {
              for (const Options::reduction_t& reduction :
                   {Options::reduction_t(torch::kMean), Options::reduction_t(torch::kSum),
                    Options::reduction_t(torch::kNone)}) {
                // Nothing of probabilities is ignored.
                if (!soft || (ignore_index < 0 && some_ignored)) {
                  result.push_back({shape, dim, soft, smoothing, weighted, ignore_index,
                                    some_ignored, reduction});
                }
              }
            }
          }
        }
      }
    }
  }
  return result;
}

/// The formula in plain loops.
torch::Tensor reference(const torch::Tensor& logits, const torch::Tensor& targets,
                        const Options& options) {
  const std::int64_t dim = logits.dim() == 1 ? 0 : options.dim();
  const std::int64_t K = options.num_classes();
  const auto rows = logits.movedim(dim, -1).reshape({-1, K}).contiguous();
  const bool soft = targets.is_floating_point();
  const auto flat = soft ? targets.movedim(dim, -1).reshape({-1, K}).contiguous()
                         : targets.reshape({-1}).contiguous();
  const double s = options.smoothing();
  const auto weight =
      options.weight().defined() ? options.weight() : torch::ones({K}, torch::kDouble);
  std::vector<double> losses;
  double divisor = 0;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const auto* x = rows.data_ptr<double>() + i * K;
    double total = 0;
    for (std::int64_t c = 0; c < K; ++c) {
      total += std::exp(x[c]);
    }
    double loss = 0;
    double count = 1;
    for (std::int64_t c = 0; c < K; ++c) {
      const double t =
          soft ? flat.data_ptr<double>()[i * K + c] : double(flat.data_ptr<std::int64_t>()[i] == c);
      const double w = weight.data_ptr<double>()[c];
      const double smoothed = options.spread() == rt::Spread::kAllClasses
                                  ? (1 - s) * t + s / double(K)
                                  : (1 - s) * t + s / double(K - 1) * (1 - t);
      loss -= smoothed * w * (x[c] - std::log(total));
      if (!soft && t == 1) {
        count = w;
      }
    }
    const bool ignored = !soft && flat.data_ptr<std::int64_t>()[i] == options.ignore_index();
    losses.push_back(ignored ? 0 : loss);
    divisor += ignored ? 0 : count;
  }
  auto loss = torch::tensor(losses, torch::kDouble);
  if (std::holds_alternative<torch::enumtype::kMean>(options.reduction())) {
    return loss.sum() / divisor;
  }
  if (std::holds_alternative<torch::enumtype::kSum>(options.reduction())) {
    return loss.sum();
  }
  auto shape = logits.sizes().vec();
  shape.erase(shape.begin() + (dim < 0 ? dim + logits.dim() : dim));
  return loss.reshape(shape);
}

/// torch's own cross entropy, which wants the classes in dimension 1.
torch::Tensor aten(const torch::Tensor& logits, const torch::Tensor& targets,
                   const Options& options) {
  const auto move = [&](const torch::Tensor& x) {
    return logits.dim() == 1 ? x : x.movedim(options.dim(), 1);
  };
  // The classes in dimension 0 are moved past the samples, and the samples' order stays.
  return functional::cross_entropy(
      move(logits), targets.is_floating_point() ? move(targets) : targets,
      functional::CrossEntropyFuncOptions()
          .weight(options.weight())
          .ignore_index(targets.is_floating_point() ? -100 : options.ignore_index())
          .reduction(options.reduction())
          .label_smoothing(options.smoothing()));
}

/// A number that depends on each element of a loss with a different factor.
torch::Tensor mixed(const torch::Tensor& loss) {
  return (loss * torch::linspace(1, 2, loss.numel(), torch::kDouble).reshape(loss.sizes())).sum();
}

template <class Loss>
torch::Tensor gradient_of(const Loss& loss, const torch::Tensor& x, bool create_graph = false) {
  return torch::autograd::grad({mixed(loss(x))}, {x}, {}, std::nullopt, create_graph)[0];
}

/// (f(x + h e_i) - f(x - h e_i)) / 2h for each i.
template <class Function>
torch::Tensor central_differences(const Function& f, const torch::Tensor& x) {
  constexpr double kStep = 1e-5;
  const torch::NoGradGuard no_grad;
  auto at = x.detach().clone();
  auto result = torch::empty_like(at);
  for (std::int64_t i = 0; i < at.numel(); ++i) {
    auto element = at.view(-1)[i];
    const double before = element.item<double>();
    element.fill_(before + kStep);
    const double above = f(at).template item<double>();
    element.fill_(before - kStep);
    const double below = f(at).template item<double>();
    element.fill_(before);
    result.view(-1)[i] = (above - below) / (2 * kStep);
  }
  return result;
}

bool close(const torch::Tensor& a, const torch::Tensor& b, double bound) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         a.allclose(b, bound, bound, /*equal_nan=*/true);
}

}  // namespace

TEST_CASE("LabelSmoothingLoss is its formula", "[losses]") {
  for (const Case& one : cases(kShapes)) {
    INFO(one.words());
    for (const rt::Spread spread : {rt::Spread::kOtherClasses, rt::Spread::kAllClasses}) {
      const Options options = one.options(spread);
      rt::LabelSmoothingLoss criterion(options);
      const auto loss = criterion(one.logits(), one.targets());
      CHECK(close(loss, reference(one.logits(), one.targets(), options), 1e-12));
      CHECK(loss.equal(rt::smoothed_cross_entropy(one.logits(), one.targets(), options)));
    }
  }
}

TEST_CASE("LabelSmoothingLoss over all classes is ATen's, and so are its gradients", "[losses]") {
  for (const Case& one : cases(kShapes)) {
    INFO(one.words());
    const Options options = one.options(rt::Spread::kAllClasses);
    const auto targets = one.targets();
    const auto ours = [&](const auto& x) {
      return rt::smoothed_cross_entropy(x, targets, options);
    };
    const auto atens = [&](const auto& x) { return aten(x, targets, options); };
    const auto x = one.logits().requires_grad_();
    CHECK(close(ours(x), atens(x), 1e-12));
    CHECK(close(gradient_of(ours, x), gradient_of(atens, x), 1e-12));
    if (one.soft) {
      auto t = targets.clone().requires_grad_();
      const auto logits = one.logits();
      CHECK(close(
          gradient_of([&](const auto& y) { return rt::smoothed_cross_entropy(logits, y, options); },
                      t),
          gradient_of([&](const auto& y) { return aten(logits, y, options); }, t), 1e-12));
    }
  }
}

TEST_CASE("LabelSmoothingLoss's gradients are those of its values", "[losses]") {
  for (const Case& one : cases(kSmallShapes)) {
    INFO(one.words());
    const Options options = one.options(rt::Spread::kOtherClasses);
    const auto targets = one.targets();
    const auto loss = [&](const auto& x) {
      return rt::smoothed_cross_entropy(x, targets, options);
    };
    const auto x = one.logits().requires_grad_();
    const auto gradient = gradient_of(loss, x);
    CHECK(close(gradient, central_differences([&](const auto& y) { return mixed(loss(y)); }, x),
                1e-7));
    // A constant added to a row's logits changes nothing.
    CHECK(gradient.sum(one.class_dim()).abs().max().item<double>() < 1e-12);
  }
}

TEST_CASE("LabelSmoothingLoss can be differentiated twice", "[losses]") {
  for (const Case& one : cases(kSmallShapes)) {
    INFO(one.words());
    const auto targets = one.targets();
    const auto x = one.logits().requires_grad_();
    // The gradient, contracted with fixed numbers: its gradient is the Hessian times those.
    const auto slope = [](const auto& loss, const auto& y) {
      return (gradient_of(loss, y, true) * randn(y.sizes().vec(), 9)).sum();
    };
    const auto second = [&](const auto& loss) {
      return torch::autograd::grad({slope(loss, x)}, {x})[0];
    };
    const Options all = one.options(rt::Spread::kAllClasses);
    CHECK(close(second([&](const auto& y) { return rt::smoothed_cross_entropy(y, targets, all); }),
                second([&](const auto& y) { return aten(y, targets, all); }), 1e-12));
    const Options others = one.options(rt::Spread::kOtherClasses);
    const auto loss = [&](const auto& y) { return rt::smoothed_cross_entropy(y, targets, others); };
    CHECK(close(second(loss),
                central_differences(
                    [&](const auto& y) {
                      const torch::AutoGradMode with_grad(true);
                      return slope(loss, y.detach().clone().requires_grad_()).detach();
                    },
                    x),
                1e-7));
  }
}

TEST_CASE("LabelSmoothingLoss gives the same gradient twice", "[losses]") {
  const auto x = randn({5, 4}, 1).requires_grad_();
  const auto loss = rt::smoothed_cross_entropy(x, hard_targets({5, 4}, 1, -100), Options(4));
  loss.backward({}, /*retain_graph=*/true);
  const auto first = x.grad().clone();
  x.mutable_grad() = torch::Tensor();
  loss.backward();
  CHECK(x.grad().equal(first));
}

TEST_CASE("LabelSmoothingLoss of numbers known by hand", "[losses]") {
  // p = (0.5, 0.3, 0.2), target 1, s = 0.2
  const auto logits = torch::tensor({{0.5, 0.3, 0.2}}, torch::kDouble).log() + 7;
  const auto target = torch::tensor({1}, torch::kLong);
  const auto others = rt::smoothed_cross_entropy(logits, target, Options(3).smoothing(0.2));
  CHECK(others.item<double>() ==
        Approx(-(0.8 * std::log(0.3) + 0.1 * std::log(0.5) + 0.1 * std::log(0.2))));
  const auto all = rt::smoothed_cross_entropy(
      logits, target, Options(3).smoothing(0.3).spread(rt::Spread::kAllClasses));
  CHECK(all.item<double>() ==
        Approx(-(0.8 * std::log(0.3) + 0.1 * std::log(0.5) + 0.1 * std::log(0.2))));
  const auto by_default = rt::smoothed_cross_entropy(logits, target, Options(3));
  CHECK(by_default.item<double>() ==
        Approx(-(0.9 * std::log(0.3) + 0.05 * std::log(0.5) + 0.05 * std::log(0.2))));
}

TEST_CASE("LabelSmoothingLoss is least where the model says the smoothed target", "[losses]") {
  constexpr std::int64_t kClasses = 10;
  constexpr double kSmoothing = 0.2;
  const auto options = Options(kClasses).smoothing(kSmoothing).reduction(torch::kNone);
  const auto targets = hard_targets({33, kClasses}, 1, -100, false);
  auto row = torch::full({33, kClasses}, kSmoothing / (kClasses - 1), torch::kDouble);
  row.scatter_(1, targets.unsqueeze(1), 1 - kSmoothing);
  const double entropy = -(row[0] * row[0].log()).sum().item<double>();
  const auto x = row.log().requires_grad_();
  const auto loss = rt::smoothed_cross_entropy(x, targets, options);
  CHECK(loss.allclose(torch::full({33}, entropy, torch::kDouble), 1e-12, 1e-12));
  CHECK(torch::autograd::grad({loss.sum()}, {x})[0].abs().max().item<double>() < 1e-12);
  // Elsewhere it is greater, and the gradient of a sample is p - t', within [-1, 1].
  const auto y = (5 * randn({33, kClasses}, 4)).requires_grad_();
  const auto greater = rt::smoothed_cross_entropy(y, targets, options);
  CHECK(greater.min().item<double>() > entropy);
  const auto gradient = torch::autograd::grad({greater.sum()}, {y})[0];
  CHECK(close(gradient, y.softmax(1) - row, 1e-12));
  CHECK(gradient.abs().max().item<double>() <= 1);
}

TEST_CASE("LabelSmoothingLoss computes in float32 at least and returns ATen's type", "[losses]") {
  const auto types = {torch::kDouble, torch::kFloat, torch::kBFloat16, torch::kHalf};
  const auto labels = hard_targets({33, 10}, 1, -100);
  const auto probabilities = randn({33, 10}, 2).softmax(1);
  const auto weight = randn({10}, 3).abs() + 0.1;
  for (const auto type : types) {
    for (const auto reduction :
         {Options::reduction_t(torch::kMean), Options::reduction_t(torch::kNone)}) {
      INFO(type);
      const auto logits = (3 * randn({33, 10}, 1)).to(type);
      const auto options = Options(10).smoothing(0.2).weight(weight).reduction(reduction);
      const auto wide = type == torch::kDouble ? torch::kDouble : torch::kFloat;
      // Exactly what float32 gives, rounded once.
      const auto loss = rt::smoothed_cross_entropy(logits, labels, options);
      CHECK(loss.scalar_type() == type);
      CHECK(loss.equal(rt::smoothed_cross_entropy(logits.to(wide), labels, options).to(type)));
      const auto exact = reference(logits.to(torch::kDouble), labels, options);
      const double bound = type == torch::kBFloat16 ? 4e-3
                           : type == torch::kHalf   ? 5e-4
                           : type == torch::kFloat  ? 2e-6
                                                    : 1e-12;
      CHECK(loss.to(torch::kDouble).allclose(exact, bound, bound));
      // The gradient, too, is rounded once, and of the logits' type.
      const auto gradient = [&](const torch::Tensor& x) {
        const auto y = x.detach().clone().requires_grad_();
        const auto of = rt::smoothed_cross_entropy(y, labels, options).sum().to(wide);
        return torch::autograd::grad({of}, {y})[0];
      };
      CHECK(gradient(logits).scalar_type() == type);
      CHECK(gradient(logits).equal(gradient(logits.to(wide)).to(type)));
      for (const auto target_type : types) {
        INFO(target_type);
        const auto targets = probabilities.to(target_type);
        const auto soft = rt::smoothed_cross_entropy(logits, targets, options);
        const auto plain = Options(10).reduction(reduction);
        CHECK(soft.scalar_type() == aten(logits, targets, plain).scalar_type());
        CHECK(
            soft.to(torch::kDouble)
                .allclose(reference(logits.to(torch::kDouble), targets.to(torch::kDouble), options),
                          bound, bound));
      }
    }
  }
}

TEST_CASE("LabelSmoothingLoss takes strided logits, targets and weights", "[losses]") {
  const auto options = Options(4).weight(randn({4, 2}, 3).abs().select(1, 0));
  const auto logits = randn({4, 6}, 1).t();
  const auto every_second = torch::arange(12, torch::kLong).remainder(4).slice(0, 0, 12, 2);
  const auto probabilities = randn({12, 8}, 2).softmax(1).slice(0, 0, 12, 2).slice(1, 0, 8, 2);
  const auto plain = Options(4).weight(options.weight().contiguous());
  for (const auto& targets : {every_second, probabilities}) {
    CHECK_FALSE(targets.is_contiguous());
    const auto x = logits.detach().requires_grad_();
    const auto y = logits.contiguous().requires_grad_();
    const auto loss = rt::smoothed_cross_entropy(x, targets, options);
    const auto wanted = rt::smoothed_cross_entropy(y, targets.contiguous(), plain);
    CHECK(close(loss, wanted, 1e-14));
    CHECK(close(torch::autograd::grad({loss}, {x})[0], torch::autograd::grad({wanted}, {y})[0],
                1e-14));
  }
  const auto images = randn({2, 3, 4, 5}, 1);
  const auto last = images.contiguous(torch::MemoryFormat::ChannelsLast);
  const auto targets = hard_targets({2, 3, 4, 5}, 1, -100);
  CHECK(close(rt::smoothed_cross_entropy(last, targets, Options(3)),
              rt::smoothed_cross_entropy(images, targets, Options(3)), 1e-14));
}

TEST_CASE("LabelSmoothingLoss stays finite where the loss is", "[losses]") {
  const auto large = torch::tensor({{1e4F, -1e4F, 0.0F}}).requires_grad_();
  const auto target = torch::tensor({1}, torch::kLong);
  for (const rt::Spread spread : {rt::Spread::kOtherClasses, rt::Spread::kAllClasses}) {
    const auto options = Options(3).smoothing(0.3).spread(spread);
    const auto loss = rt::smoothed_cross_entropy(large, target, options);
    CHECK(loss.item<float>() == Approx(spread == rt::Spread::kOtherClasses
                                           ? 0.7 * 2e4 + 0.15 * 1e4
                                           : 0.8 * 2e4 + 0.1 * 1e4));
    CHECK(torch::autograd::grad({loss}, {large})[0].isfinite().all().item<bool>());
    // A constant added to the logits changes the loss by no more than they are rounded.
    const auto logits = randn({5, 3}, 1);
    const auto targets = hard_targets({5, 3}, 1, -100);
    CHECK(close(rt::smoothed_cross_entropy(logits + 1e4, targets, options),
                rt::smoothed_cross_entropy(logits, targets, options), 1e-10));
  }
  // A class that the model rules out costs nothing without smoothing, and everything with it.
  const auto masked = torch::tensor({{1.0, -kInfinity, 2.0}}, torch::kDouble).requires_grad_();
  const auto zero = torch::tensor({0}, torch::kLong);
  for (const rt::Spread spread : {rt::Spread::kOtherClasses, rt::Spread::kAllClasses}) {
    const auto options = Options(3).smoothing(0).spread(spread);
    const auto loss = rt::smoothed_cross_entropy(masked, zero, options);
    CHECK(loss.item<double>() == Approx(std::log(1 + std::exp(1))));
    const auto gradient = torch::autograd::grad({loss}, {masked})[0];
    CHECK(gradient[0][1].item<double>() == 0);
    CHECK(gradient.isfinite().all().item<bool>());
    CHECK(
        rt::smoothed_cross_entropy(masked, zero, Options(options).smoothing(0.1)).item<double>() ==
        kInfinity);
  }
}

TEST_CASE("LabelSmoothingLoss leaves ignored targets out", "[losses]") {
  const auto x = randn({3, 4}, 1).requires_grad_();
  const auto targets = torch::tensor({2, -1, 0}, torch::kLong);
  const auto options = Options(4).ignore_index(-1);
  const auto loss = rt::smoothed_cross_entropy(x, targets, options);
  const auto kept = torch::tensor({0, 2}, torch::kLong);
  CHECK(close(loss,
              rt::smoothed_cross_entropy(x.index_select(0, kept), targets.index_select(0, kept),
                                         Options(4)),
              1e-14));
  CHECK(torch::autograd::grad({loss}, {x})[0][1].eq(0).all().item<bool>());
  // With nothing left the mean is nan and the sum 0, as in ATen; so with an empty batch.
  for (const bool weighted : {false, true}) {
    const auto weight = weighted ? torch::ones({4}) : torch::Tensor();
    for (const std::int64_t size : {0, 3}) {
      const auto logits = randn({size, 4}, 1).requires_grad_();
      const auto none = torch::full({size}, -100, torch::kLong);
      CHECK(
          rt::smoothed_cross_entropy(logits, none, Options(4).weight(weight)).isnan().item<bool>());
      CHECK(
          rt::smoothed_cross_entropy(logits, none, Options(4).weight(weight).reduction(torch::kSum))
              .item<double>() == 0);
      CHECK(rt::smoothed_cross_entropy(logits, none,
                                       Options(4).weight(weight).reduction(torch::kNone))
                .equal(torch::zeros({size}, torch::kDouble)));
    }
    const auto empty = torch::zeros({2, 4, 0}, torch::kDouble);
    CHECK(rt::smoothed_cross_entropy(empty, empty, Options(4).weight(weight)).isnan().item<bool>());
  }
  const auto all_ignored = torch::full({3}, -100, torch::kLong);
  const auto gradient = [&](const auto& of) { return gradient_of(of, x); };
  const auto all = Options(4).spread(rt::Spread::kAllClasses);
  CHECK(close(
      gradient([&](const auto& y) { return rt::smoothed_cross_entropy(y, all_ignored, all); }),
      gradient([&](const auto& y) { return aten(y, all_ignored, all); }), 0));
  // Probabilities know no ignored class.
  const auto soft = randn({3, 4}, 2).softmax(1);
  CHECK(rt::smoothed_cross_entropy(x, soft, Options(4).ignore_index(1))
            .equal(rt::smoothed_cross_entropy(x, soft, Options(4))));
}

TEST_CASE("LabelSmoothingLoss of probabilities that are one-hot is that of the labels",
          "[losses]") {
  const auto logits = randn({33, 10}, 1);
  const auto labels = hard_targets({33, 10}, 1, -100, false);
  const auto one_hot = torch::one_hot(labels, 10).to(torch::kDouble);
  for (const bool weighted : {false, true}) {
    const auto options = Options(10)
                             .smoothing(0.3)
                             .reduction(torch::kSum)
                             .weight(weighted ? randn({10}, 3).abs() : torch::Tensor());
    CHECK(close(rt::smoothed_cross_entropy(logits, one_hot, options),
                rt::smoothed_cross_entropy(logits, labels, options), 1e-12));
  }
}

TEST_CASE("LabelSmoothingLoss of one class", "[losses]") {
  const auto logits = torch::tensor({{3.0F}, {4.0F}});
  const auto targets = torch::zeros({2}, torch::kLong);
  CHECK(rt::smoothed_cross_entropy(logits, targets, Options(1).smoothing(0)).item<float>() == 0);
  CHECK(rt::smoothed_cross_entropy(logits, targets,
                                   Options(1).smoothing(0.5).spread(rt::Spread::kAllClasses))
            .item<float>() == 0);
  CHECK(contains(error_of([] { rt::LabelSmoothingLoss criterion(Options(1)); }),
                 "wanted smoothing 0 or Spread::kAllClasses, as 1 class has no others, got "
                 "smoothing 0.1"));
}

TEST_CASE("LabelSmoothingLoss says what it wanted and what came", "[losses]") {
  const auto error = [](const Options& options) {
    return error_of([&] { rt::LabelSmoothingLoss criterion(options); });
  };
  CHECK(contains(error(Options(0)), "at least 1 class, got 0"));
  CHECK(contains(error(Options(3).smoothing(-0.1)), "smoothing in [0, 1], got -0.1"));
  CHECK(contains(error(Options(3).smoothing(1.5)), "smoothing in [0, 1], got 1.5"));
  CHECK(contains(error(Options(3).smoothing(NAN)), "smoothing in [0, 1], got nan"));
  CHECK(contains(error(Options(3).weight(torch::ones({2}))),
                 "weight of shape [3], got Float [2] on cpu"));
  CHECK(contains(error(Options(3).weight(torch::ones({3, 1}))), "got Float [3, 1] on cpu"));
  CHECK(contains(error(Options(3).weight(torch::ones({3}, torch::kLong))), "got Long [3] on cpu"));

  const auto of = [](const torch::Tensor& logits, const torch::Tensor& targets,
                     std::int64_t dim = 1) {
    return error_of([&] { rt::smoothed_cross_entropy(logits, targets, Options(3).dim(dim)); });
  };
  const auto logits = torch::zeros({2, 3});
  const auto targets = torch::zeros({2}, torch::kLong);
  CHECK(of(logits, targets).empty());
  CHECK(contains(of({}, targets), "floating-point logits [N, 3] or [N, 3, ...], got an undefined"));
  CHECK(contains(of(logits.to(torch::kLong), targets), "got Long [2, 3] on cpu"));
  CHECK(contains(of(torch::zeros({}), targets), "got Float [] on cpu"));
  CHECK(contains(of(logits, targets, 2), "a dimension 2, got Float [2, 3] on cpu"));
  CHECK(contains(of(logits, targets, -3), "a dimension -3, got Float [2, 3] on cpu"));
  CHECK(contains(of(logits, targets, 0), "3 classes in dimension 0, got Float [2, 3] on cpu"));
  CHECK(contains(of(torch::zeros({2, 4}), targets), "3 classes in dimension 1, got Float [2, 4]"));
  const std::string wanted =
      "targets of type Long (int64) and shape [2], or floating-point of shape [2, 3], on cpu, got ";
  CHECK(contains(of(logits, {}), wanted + "an undefined tensor"));
  CHECK(contains(of(logits, targets.to(torch::kInt)), wanted + "Int [2] on cpu"));
  CHECK(contains(of(logits, targets.to(torch::kFloat)), wanted + "Float [2] on cpu"));
  CHECK(contains(of(logits, torch::zeros({3}, torch::kLong)), wanted + "Long [3] on cpu"));
  CHECK(contains(of(logits, torch::zeros({2, 3}, torch::kLong)), wanted + "Long [2, 3] on cpu"));
  CHECK(contains(of(logits, torch::zeros({2}, torch::device(torch::kMeta).dtype(torch::kLong))),
                 wanted + "Long [2] on meta"));
  CHECK(contains(of(torch::zeros({3}), torch::zeros({1}, torch::kLong)), "got Long [1] on cpu"));
  CHECK(of(torch::zeros({3}), torch::tensor(1)).empty());
  const auto meta = torch::device(torch::kMeta);
  CHECK(contains(error_of([&] {
                   rt::smoothed_cross_entropy(logits, targets,
                                              Options(3).weight(torch::ones({3}, meta)));
                 }),
                 "wanted the weight on cpu, got Float [3] on meta"));

  CHECK(contains(of(logits, torch::tensor({1, 3}, torch::kLong)),
                 "targets in [0, 3) or -100, got 3 at place 1"));
  CHECK(contains(of(logits, torch::tensor({-1, 0}, torch::kLong)), "got -1 at place 0"));
  CHECK(contains(of(torch::zeros({2, 3, 2}), torch::tensor({{0, -100}, {2, 77}}, torch::kLong)),
                 "got 77 at place 3"));
  CHECK_THROWS_AS(rt::smoothed_cross_entropy(logits, targets + 3, Options(3)), c10::ValueError);
}

TEST_CASE("LabelSmoothingLoss is a module that can be cloned, moved and printed", "[losses]") {
  const auto weight = torch::tensor({1.0F, 2.0F, 3.0F});
  rt::LabelSmoothingLoss criterion(Options(3).smoothing(0.25).weight(weight));
  std::ostringstream text;
  text << criterion << rt::LabelSmoothingLoss(Options(2).spread(rt::Spread::kAllClasses));
  CHECK(text.str() ==
        "regtorch::LabelSmoothingLoss(num_classes=3, smoothing=0.25, spread=kOtherClasses)"
        "regtorch::LabelSmoothingLoss(num_classes=2, smoothing=0.1, spread=kAllClasses)");
  CHECK(criterion->parameters().empty());
  REQUIRE(criterion->named_buffers().size() == 1);
  CHECK(criterion->named_buffers()["weight"].equal(weight));
  CHECK(rt::LabelSmoothingLoss(Options(3))->buffers().empty());

  const auto logits = randn({5, 3}, 1).to(torch::kFloat);
  const auto targets = hard_targets({5, 3}, 1, -100);
  const auto loss = criterion(logits, targets);
  const auto clone = std::dynamic_pointer_cast<rt::LabelSmoothingLossImpl>(criterion->clone());
  REQUIRE(clone);
  CHECK(clone->forward(logits, targets).equal(loss));
  const auto trained = torch::ones({3}, torch::requires_grad());
  CHECK_FALSE(rt::LabelSmoothingLoss(Options(3).weight(trained))(logits, targets).requires_grad());
  CHECK_FALSE(
      rt::smoothed_cross_entropy(logits, targets, Options(3).weight(trained)).requires_grad());
  // Each has its own weight, and uses the one that is registered.
  clone->buffers()[0].mul_(torch::tensor({1.0F, 10.0F, 1.0F}));
  CHECK_FALSE(clone->forward(logits, targets).equal(loss));
  CHECK(criterion(logits, targets).equal(loss));
  CHECK(weight.equal(torch::tensor({1.0F, 2.0F, 3.0F})));
  clone->to(torch::kDouble);
  CHECK(clone->options().weight().scalar_type() == torch::kDouble);
  CHECK(criterion->options().weight().scalar_type() == torch::kFloat);
}

TEST_CASE("LabelSmoothingLoss keeps float32 under autocast, as ATen does", "[losses]") {
  const auto logits = (3 * randn({33, 10}, 1)).to(torch::kBFloat16);
  const auto labels = hard_targets({33, 10}, 1, -100);
  for (const auto& targets : {labels, randn({33, 10}, 2).softmax(1).to(torch::kBFloat16)}) {
    const auto x = logits.detach().clone().requires_grad_();
    const auto options = Options(10).spread(rt::Spread::kAllClasses);
    torch::Tensor loss;
    torch::Tensor wanted;
    {
      const rt::Autocast region(torch::kCPU, torch::kBFloat16);
      loss = rt::smoothed_cross_entropy(x, targets, options);
      wanted = aten(x, targets, options);
    }
    CHECK(wanted.scalar_type() == torch::kFloat);
    CHECK(close(loss, wanted, 1e-6));
    const auto gradient = torch::autograd::grad({loss}, {x})[0];
    CHECK(gradient.scalar_type() == torch::kBFloat16);
    CHECK(gradient.to(torch::kFloat)
              .allclose(torch::autograd::grad({wanted}, {x})[0].to(torch::kFloat), 1e-2, 1e-6));
  }
}

TEST_CASE("LabelSmoothingLoss of narrow types is its formula, and so is its gradient", "[losses]") {
  const std::vector<std::pair<std::int64_t, std::int64_t>> sizes{
      {0, 10},  {1, 1},   {1, 10},  {15, 10},   {16, 10},  {17, 10},
      {31, 2},  {33, 9},  {33, 16}, {16, 17},   {33, 31},  {32, 32},
      {31, 33}, {33, 64}, {33, 65}, {17, 1000}, {2, 5000}, {2, 50257}};
  for (const auto& [rows, classes] : sizes) {
    for (const auto dtype : {torch::kFloat, torch::kBFloat16, torch::kHalf}) {
      for (const rt::Spread spread : {rt::Spread::kOtherClasses, rt::Spread::kAllClasses}) {
        for (const bool weighted : {false, true}) {
          for (const Options::reduction_t& reduction :
               {Options::reduction_t(torch::kMean), Options::reduction_t(torch::kSum),
                Options::reduction_t(torch::kNone)}) {
            Case one{{rows, classes}};
            one.smoothing = spread == rt::Spread::kOtherClasses && classes == 1 ? 0 : 0.2;
            one.weighted = weighted;
            one.reduction = reduction;
            INFO(one.words() << " " << dtype);
            const Options options = one.options(spread);
            const auto targets =
                rows == 0 ? torch::empty({0}, torch::kLong) : torch::Tensor(one.targets());
            const auto x = one.logits().to(dtype).requires_grad_();
            const auto wide = x.detach().to(torch::kDouble).requires_grad_();
            const auto loss = rt::smoothed_cross_entropy(x, targets, options);
            const auto wanted = rt::smoothed_cross_entropy(wide, targets, options);
            const double bound = dtype == torch::kBFloat16 ? 4e-3
                                 : dtype == torch::kHalf   ? 5e-4
                                                           : 2e-6;
            CHECK(loss.scalar_type() == dtype);
            CHECK(loss.sizes() == wanted.sizes());
            CHECK(loss.to(torch::kDouble).allclose(wanted, bound, bound, true));
            // With a factor for each row or for all, and without.
            const auto factors = torch::linspace(1, 2, loss.numel()).reshape(loss.sizes());
            for (const auto& factor : {torch::ones(loss.sizes()), factors, 3 * factors}) {
              const auto grad = [&](const auto& of, const auto& leaf) {
                return torch::autograd::grad({of}, {leaf}, {factor.to(of.scalar_type())}, true)[0];
              };
              const auto gradient = grad(loss, x);
              CHECK(gradient.scalar_type() == dtype);
              CHECK(gradient.to(torch::kDouble)
                        .allclose(grad(wanted, wide), 2 * bound,
                                  dtype == torch::kFloat ? 1e-6 : 1e-5));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("LabelSmoothingLoss of float32 with any ignored label, as the composition", "[losses]") {
  for (const Case& one : cases({{{33, 10}, 1}, {{5}, 1}, {{2, 3, 4, 3}, -1}, {{4, 3, 5}, 1}})) {
    if (one.soft) {
      continue;
    }
    INFO(one.words());
    const auto targets = one.targets();
    for (const rt::Spread spread : {rt::Spread::kOtherClasses, rt::Spread::kAllClasses}) {
      const auto x = one.logits().to(torch::kFloat).requires_grad_();
      const auto y = one.logits().requires_grad_();
      const auto loss = rt::smoothed_cross_entropy(x, targets, one.options(spread));
      const auto wanted = rt::smoothed_cross_entropy(y, targets, one.options(spread));
      CHECK(loss.to(torch::kDouble).allclose(wanted, 2e-6, 2e-6));
      CHECK(torch::autograd::grad({mixed(loss)}, {x})[0]
                .to(torch::kDouble)
                .allclose(torch::autograd::grad({mixed(wanted)}, {y})[0], 1e-6, 2e-6));
      // The Hessian, contracted; and through logits that are no leaf.
      const auto second = [&](const torch::Tensor& leaf) {
        const auto of = [&](const torch::Tensor& z) {
          return rt::smoothed_cross_entropy(z * 0.5, targets, one.options(spread))
              .to(torch::kDouble);
        };
        const auto slope = (gradient_of(of, leaf, true) * randn(one.shape, 9)).sum();
        return torch::autograd::grad({slope}, {leaf})[0].to(torch::kDouble);
      };
      CHECK(second(x).allclose(second(y), 1e-5, 1e-5));
    }
  }
  // With no label left the mean is nan; its gradient is 0.
  const auto x = torch::randn({3, 4}).requires_grad_();
  const auto loss = rt::smoothed_cross_entropy(x, torch::full({3}, -100, torch::kLong), Options(4));
  CHECK(loss.isnan().item<bool>());
  CHECK(torch::autograd::grad({loss}, {x})[0].eq(0).all().item<bool>());
}

TEST_CASE("LabelSmoothingLoss hands out a gradient that is the receiver's own", "[losses]") {
  const auto labels = hard_targets({5, 4}, 1, -100);
  for (const auto dtype : {torch::kFloat, torch::kBFloat16}) {
    for (const double factor : {1.0, 3.0}) {
      const auto x = randn({5, 4}, 1).to(dtype).requires_grad_();
      const auto loss = rt::smoothed_cross_entropy(x, labels, Options(4));
      const auto incoming = torch::full({}, factor, dtype);
      const auto once = [&](bool keep) {
        return torch::autograd::grad({loss}, {x}, {incoming}, keep)[0];
      };
      auto first = once(true);
      const auto copy = first.clone();
      first.zero_();
      CHECK(once(true).equal(copy));
      // Through a graph that was kept by a pass for the gradient's gradient, too.
      torch::autograd::grad({loss}, {x}, {incoming}, true, true);
      auto last = once(false);
      CHECK(last.equal(copy));
      last.zero_();
      CHECK(contains(error_of([&] { once(false); }), "retain_graph=true"));
    }
  }
  // Gradients add up over two losses of the same logits.
  const auto x = randn({5, 4}, 1).to(torch::kFloat).requires_grad_();
  rt::smoothed_cross_entropy(x, labels, Options(4)).backward();
  const auto once = x.grad().clone();
  rt::smoothed_cross_entropy(x, labels, Options(4)).backward();
  CHECK(x.grad().allclose(2 * once));
}

TEST_CASE("LabelSmoothingLoss keeps float16 gradients that a scale is to keep", "[losses]") {
  // A mean over 4,096 samples: elements below 2^-25 would be 0 if made before they are scaled.
  const auto logits = (3 * randn({4096, 10}, 1) - 4).to(torch::kHalf);
  const auto labels = hard_targets({4096, 10}, 1, -100, false);
  const auto x = logits.detach().requires_grad_();
  const auto y = logits.to(torch::kDouble).requires_grad_();
  constexpr double kScale = 65536;
  torch::Tensor loss;
  {
    const rt::Autocast region(torch::kCPU, torch::kHalf);
    loss = rt::smoothed_cross_entropy(x, labels, Options(10)) * kScale;
  }
  const auto gradient = torch::autograd::grad({loss}, {x})[0].to(torch::kDouble);
  const auto wanted =
      torch::autograd::grad({rt::smoothed_cross_entropy(y, labels, Options(10)) * kScale}, {y})[0];
  CHECK(gradient.allclose(wanted, 1e-3, 1e-6));
}

TEST_CASE("LabelSmoothingLoss of strided float32 is that of contiguous", "[losses]") {
  const auto labels = torch::arange(12, torch::kLong).remainder(4).slice(0, 0, 12, 2);
  const auto x = randn({4, 6}, 1).to(torch::kFloat).t().requires_grad_();
  const auto y = x.detach().contiguous().requires_grad_();
  const auto weight = randn({4, 2}, 3).abs().select(1, 0);
  const auto loss = rt::smoothed_cross_entropy(x, labels, Options(4).weight(weight));
  const auto wanted =
      rt::smoothed_cross_entropy(y, labels.contiguous(), Options(4).weight(weight.contiguous()));
  CHECK(loss.equal(wanted));
  CHECK(torch::autograd::grad({loss}, {x})[0].equal(torch::autograd::grad({wanted}, {y})[0]));
}

TEST_CASE("LabelSmoothingLoss: any number of threads, the same bits", "[losses]") {
  torch::manual_seed(12);
  const auto logits = torch::randn({40001, 10}) * 3;
  const auto classes = torch::randint(10, {40001}, torch::kLong);
  const auto soft = torch::softmax(torch::randn({40001, 10}), 1);
  for (const auto& targets : {classes, soft}) {
    for (const bool weighted : {false, true}) {
      rt::LabelSmoothingLossOptions options(10);
      options.smoothing(0.2);
      if (weighted) {
        options.weight(torch::rand({10}) + 0.5);
      }
      const auto run = [&](int count) {
        const rt::testing::Threads threads(count);
        const auto leaf = logits.clone().requires_grad_();
        const auto loss = rt::LabelSmoothingLoss(options)(leaf, targets);
        loss.backward();
        return torch::cat({leaf.grad().flatten(), loss.detach().view(1)});
      };
      const auto one = run(1);
      CHECK(run(2).equal(one));
      CHECK(run(7).equal(one));
    }
  }
}

}  // namespace label_smoothing_loss_test
