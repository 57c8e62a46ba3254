#include "regtorch/kernels/smoothed_cross_entropy.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/philox.hpp"

namespace smoothed_cross_entropy_test {

using namespace regtorch::kernels;

namespace {

constexpr std::int64_t kIgnored = -100;

/// Logits, labels and weights, made from a fixed stream of random words.
template <class Format>
struct Problem {
  using Stored = typename Format::Stored;

  Problem(std::int64_t n, std::int64_t classes, bool weighted, double smoothing, float shift = 0.0f)
      : rows(n), logits(static_cast<std::size_t>(n * classes)) {
    const RandomStream random{17, 0, 0};
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double uniform = random.block(i)[0] / 4294967296.0;
      logits[i] = Format::write(static_cast<float>(20 * uniform - 10) + shift);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      const auto words = random.block(static_cast<std::uint64_t>(i));
      targets.push_back(words[1] % 5 == 0 ? kIgnored
                                          : bounded(words[2], static_cast<std::uint32_t>(classes)));
    }
    for (std::int64_t c = 0; weighted && c < classes; ++c) {
      weight.push_back(0.25f + static_cast<float>(random.block(static_cast<std::uint64_t>(c))[3]) *
                                   0x1p-32f);
    }
    rule.classes = classes;
    rule.ignore_index = kIgnored;
    rule.floor = static_cast<float>(smoothing / static_cast<double>(classes));
    rule.scale = static_cast<float>(1 - smoothing);
    rule.weight = weighted ? weight.data() : nullptr;
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      sum += rule.weight_of(c);
    }
    rule.weight_sum = static_cast<float>(sum);
  }

  struct Result {
    double sum = 0;
    std::vector<float> losses;
    std::vector<Stored> gradient;
  };
  Result run(Isa isa, float factor = 1, const float* factors = nullptr) const {
    Result result;
    result.losses.assign(static_cast<std::size_t>(rows), -99.0f);
    result.gradient.assign(logits.size(), Stored(99));
    result.sum =
        smoothed_cross_entropy_rows<Format>(rule,
                                            {logits.data(), targets.data(), result.gradient.data(),
                                             result.losses.data(), factor, factors},
                                            0, rows, isa);
    return result;
  }

  std::int64_t rows;
  std::vector<Stored> logits;
  std::vector<std::int64_t> targets;
  std::vector<float> weight;
  SmoothedTargets rule;
};

/// The formula in float64; `unit` is the relative error of a number that is stored.
template <class Format>
void check(const Problem<Format>& problem, const typename Problem<Format>::Result& got,
           double factor, double unit) {
  const SmoothedTargets& rule = problem.rule;
  const std::int64_t C = rule.classes;
  double sum = 0;
  for (std::int64_t i = 0; i < problem.rows; ++i) {
    const std::int64_t target = problem.targets[static_cast<std::size_t>(i)];
    const auto at = [&](std::int64_t c) {
      return static_cast<double>(Format::read(problem.logits[static_cast<std::size_t>(i * C + c)]));
    };
    double most = at(0);
    for (std::int64_t c = 1; c < C; ++c) {
      most = std::max(most, at(c));
    }
    double total = 0;
    double weights = 0;
    for (std::int64_t c = 0; c < C; ++c) {
      total += std::exp(at(c) - most);
      weights += rule.weight_of(c);
    }
    double loss = 0;
    double worst = 0;
    for (std::int64_t c = 0; c < C; ++c) {
      const double log_p = at(c) - most - std::log(total);
      const double share = ((c == target ? rule.scale : 0.0) + rule.floor) * rule.weight_of(c);
      loss -= target == kIgnored ? 0 : share * log_p;
      const double scale =
          target == kIgnored ? 0 : rule.scale * rule.weight_of(target) + rule.floor * weights;
      const double wanted = target == kIgnored ? 0 : factor * (scale * std::exp(log_p) - share);
      const double gradient = Format::read(got.gradient[static_cast<std::size_t>(i * C + c)]);
      worst = std::max(worst, std::abs(gradient - wanted) - unit * std::abs(wanted));
    }
    CHECK(worst <= 3e-6 * factor);
    CHECK(got.losses[static_cast<std::size_t>(i)] == Approx(loss).epsilon(2e-6).margin(2e-6));
    sum += got.losses[static_cast<std::size_t>(i)];
  }
  CHECK(got.sum == Approx(sum).epsilon(1e-7));
}

template <class Format>
void check_everywhere(double unit) {
  for (const std::int64_t classes : {1,  2,   3,   4,   9,   10,  16,   17,   31,   32,   33,
                                     64, 100, 127, 128, 129, 160, 1000, 4096, 4097, 50257}) {
    for (const std::int64_t rows : {1, 15, 31, 32, 33, 65}) {
      if (classes > 1000 && rows > 1) {
        continue;
      }
      for (const bool weighted : {false, true}) {
        for (const double smoothing : {0.0, 0.1}) {
          const Problem<Format> problem(rows, classes, weighted, smoothing);
          for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
            if (isa <= best_isa()) {
              INFO(rows << " x " << classes << " weighted " << weighted << " smoothing "
                        << smoothing << " " << to_string(isa));
              const auto got = problem.run(isa, 0.5f);
              check(problem, got, 0.5, unit);
              // The loss is the same without its gradient.
              CHECK(smoothed_cross_entropy_rows<Format>(
                        problem.rule, {problem.logits.data(), problem.targets.data()}, 0, rows,
                        isa) == got.sum);
            }
          }
        }
      }
    }
  }
}

/// What the loss and the gradient are where logits are not finite, or far apart: rows made so among
/// others, which stay what they are without them. `unit` is the relative error of a number that is
/// stored.
template <class Format>
void check_extremes(double unit) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kLarge = 8192;  // a number of every type
  constexpr std::int64_t kSpecial = 9;
  for (const std::int64_t classes : {3, 10, 128, 200, 9000}) {
    for (const double smoothing : {0.0, 0.1}) {
      const Problem<Format> plain(33, classes, false, smoothing);
      Problem<Format> problem(33, classes, false, smoothing);
      const auto fill = [&](std::int64_t row, float value) {
        std::fill(problem.logits.begin() + row * classes,
                  problem.logits.begin() + (row + 1) * classes, Format::write(value));
      };
      const auto set = [&](std::int64_t row, std::int64_t c, float value) {
        problem.logits[static_cast<std::size_t>(row * classes + c)] = Format::write(value);
      };
      std::fill(problem.targets.begin(), problem.targets.begin() + kSpecial, 0);
      fill(0, -kInfinity);
      set(0, 0, 1);  // certain and right
      set(1, classes - 1, kInfinity);
      fill(2, -kInfinity);
      set(3, 0, kNan);
      set(4, 1, kNan);
      set(5, classes - 1, kNan);
      fill(6, kNan);
      problem.targets[6] = kIgnored;
      fill(7, -kLarge);
      set(7, classes - 1, kLarge);
      set(8, 0, -kInfinity);  // the target

      const double share = static_cast<double>(problem.rule.floor);
      const double target = static_cast<double>(problem.rule.scale) + share;
      for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
        if (isa > best_isa()) {
          continue;
        }
        INFO(classes << " smoothing " << smoothing << " " << to_string(isa));
        const auto got = problem.run(isa);
        const auto loss = [&](std::int64_t row) {
          return got.losses[static_cast<std::size_t>(row)];
        };
        const auto gradient = [&](std::int64_t row, std::int64_t c) {
          return Format::read(got.gradient[static_cast<std::size_t>(row * classes + c)]);
        };
        const auto all = [&](std::int64_t row, const auto& is) {
          for (std::int64_t c = 0; c < classes; ++c) {
            if (!is(gradient(row, c))) {
              return false;
            }
          }
          return true;
        };
        const auto is_near = [&](double wanted) {
          return Approx(wanted).epsilon(unit + 1e-6).margin(1e-6);
        };

        CHECK(loss(0) == (smoothing == 0 ? 0 : kInfinity));
        CHECK(gradient(0, 0) == is_near(1 - target));
        CHECK(gradient(0, 1) == is_near(-share));
        CHECK(gradient(0, classes - 1) == is_near(-share));
        for (const std::int64_t row : {1, 2, 3, 4, 5}) {
          INFO(row);
          CHECK(std::isnan(loss(row)));
          CHECK(all(row, [](float g) { return std::isnan(g); }));
        }
        CHECK(loss(6) == 0);
        CHECK(all(6, [](float g) { return g == 0; }));
        CHECK(loss(7) == Approx(2 * static_cast<double>(kLarge) *
                                (target + static_cast<double>(classes - 2) * share)));
        CHECK(gradient(7, 0) == is_near(-target));
        CHECK(gradient(7, 1) == is_near(-share));
        CHECK(gradient(7, classes - 1) == is_near(1 - share));
        CHECK(loss(8) == kInfinity);
        CHECK(gradient(8, 0) == is_near(-target));
        CHECK(all(8, [](float g) { return std::isfinite(g); }));

        const auto others = plain.run(isa);
        CHECK(std::equal(got.losses.begin() + kSpecial, got.losses.end(),
                         others.losses.begin() + kSpecial));
        CHECK(std::equal(got.gradient.begin() + kSpecial * classes, got.gradient.end(),
                         others.gradient.begin() + kSpecial * classes));
      }
    }
  }
}

}  // namespace

TEST_CASE("smoothed_cross_entropy_rows is its formula in float32", "[kernels]") {
  check_everywhere<Float32Format>(0);
}

TEST_CASE("smoothed_cross_entropy_rows is its formula in bfloat16", "[kernels]") {
  check_everywhere<BFloat16Format>(0x1p-8);
}

TEST_CASE("smoothed_cross_entropy_rows is its formula in float16", "[kernels]") {
  check_everywhere<Float16Format>(0x1p-11);
}

TEST_CASE("smoothed_cross_entropy_rows: a row is the same wherever it lies", "[kernels]") {
  for (const std::int64_t classes : {10, 200}) {
    const Problem<Float32Format> problem(70, classes, true, 0.1);
    const auto all = problem.run(best_isa());
    for (const std::int64_t first : {1, 33, 69}) {
      std::vector<float> gradient(static_cast<std::size_t>((70 - first) * classes));
      smoothed_cross_entropy_rows<Float32Format>(problem.rule,
                                                 {problem.logits.data() + first * classes,
                                                  problem.targets.data() + first, gradient.data()},
                                                 0, 70 - first, best_isa());
      CHECK(std::equal(gradient.begin(), gradient.end(), all.gradient.begin() + first * classes));
    }
  }
}

TEST_CASE("smoothed_cross_entropy_rows scales each row's gradient", "[kernels]") {
  for (const std::int64_t classes : {10, 200, 5000}) {
    const Problem<Float32Format> problem(33, classes, false, 0.1);
    std::vector<float> factors;
    for (int i = 0; i < 33; ++i) {
      factors.push_back(static_cast<float>(1 << (i % 8)));  // powers of two scale exactly
    }
    const auto plain = problem.run(best_isa());
    const auto scaled = problem.run(best_isa(), 7, factors.data());
    for (std::size_t i = 0; i < plain.gradient.size(); ++i) {
      REQUIRE(scaled.gradient[i] ==
              plain.gradient[i] * factors[i / static_cast<std::size_t>(classes)]);
    }
  }
}

TEST_CASE("smoothed_cross_entropy_rows of infinite, missing and large logits", "[kernels]") {
  check_extremes<Float32Format>(0);
  check_extremes<BFloat16Format>(0x1p-8);
  check_extremes<Float16Format>(0x1p-11);
  // Where the maximum comes late, early or never in the first piece, and with logits far from 0.
  Problem<Float32Format> late(3, 9000, true, 0.1, 1e3f);
  std::fill(late.targets.begin(), late.targets.end(), 5);
  late.logits[8999] = 1050;
  late.logits[9000] = 1050;
  std::fill(late.logits.begin() + 18000, late.logits.begin() + 18000 + 4096, -200.0f);
  check(late, late.run(best_isa()), 1, 0);
}

TEST_CASE("count_targets counts, weighs and finds what is wrong", "[kernels]") {
  const std::vector<float> weight{1, 2, 4};
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (const std::int64_t size : {0, 1, 31, 32, 33, 100}) {
      for (const std::int64_t ignored : {kIgnored, std::int64_t{1}}) {
        std::vector<std::int64_t> targets;
        double kept = 0;
        double weighed = 0;
        for (std::int64_t i = 0; i < size; ++i) {
          targets.push_back(i % 7 == 3 ? ignored : i % 3);
          kept += targets.back() != ignored;
          weighed +=
              targets.back() == ignored ? 0 : weight[static_cast<std::size_t>(targets.back())];
        }
        SmoothedTargets rule;
        rule.classes = 3;
        rule.ignore_index = ignored;
        TargetCount count = count_targets(rule, targets.data(), 0, size, isa);
        CHECK(count.bad == -1);
        CHECK(static_cast<double>(count.kept) == kept);
        CHECK(count.weight == kept);
        rule.weight = weight.data();
        count = count_targets(rule, targets.data(), 0, size, isa);
        CHECK(count.weight == weighed);
        for (const std::int64_t wrong :
             {std::int64_t{3}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
              std::numeric_limits<std::int64_t>::min()}) {
          for (const std::int64_t place : {std::int64_t{0}, size / 2, size - 1}) {
            if (size > 0) {
              std::vector<std::int64_t> bad = targets;
              bad[static_cast<std::size_t>(place)] = wrong;
              bad.back() = wrong;
              CHECK(count_targets(rule, bad.data(), 0, size, isa).bad == place);
            }
          }
        }
      }
    }
  }
}

}  // namespace smoothed_cross_entropy_test
