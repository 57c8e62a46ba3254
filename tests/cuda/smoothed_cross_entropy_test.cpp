#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"
#include "regtorch/cuda/smoothed_cross_entropy_backward.cuh"
#include "regtorch/cuda/smoothed_cross_entropy_forward.cuh"
#include "simt/error.hpp"
#include "simt/schedule.hpp"

namespace {

namespace rt = regtorch;
using rt::kernels::SmoothedRows;

constexpr std::int64_t kIgnored = -100;

/// Logits, labels and weights of some rows; the logits begin `off` elements behind a multiple of 16
/// bytes.
template <class Element>
struct Rows {
  Rows(std::int64_t rows, std::int64_t classes, int off, bool weighted, float spread = 3)
      : rows_(rows), classes_(classes), memory(static_cast<std::size_t>(rows * classes + 64)) {
    std::mt19937 random(static_cast<unsigned>(rows * 7919 + classes));
    std::normal_distribution<float> normal(0, spread);
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    first = (16 - address % 16) % 16 / sizeof(Element) + static_cast<std::size_t>(off);
    for (std::int64_t i = 0; i < rows * classes; ++i) {
      logits()[i] = rt::cuda::from_float<Element>(normal(random));
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      targets.push_back(
          row % 5 == 4 ? kIgnored : static_cast<std::int64_t>(random() % std::uint64_t(classes)));
    }
    if (weighted) {
      for (std::int64_t c = 0; c < classes; ++c) {
        weight.push_back(static_cast<float>(c % 4) * 0.5f);  // 0 among them
        weight_sum += weight.back();
      }
    }
  }
  Element* logits() { return memory.data() + first; }
  double logit(std::int64_t row, std::int64_t c) {
    return static_cast<double>(rt::cuda::to_float(logits()[row * classes_ + c]));
  }
  double weight_of(std::int64_t c) const {
    return weight.empty() ? 1.0 : static_cast<double>(weight[static_cast<std::size_t>(c)]);
  }
  SmoothedRows call(float scale, float floor) {
    SmoothedRows all;
    all.logits = logits();
    all.targets = targets.data();
    all.rows = rows_;
    all.classes = classes_;
    all.weight = weight.empty() ? nullptr : weight.data();
    all.weight_sum = weight.empty() ? nullptr : &weight_sum;
    all.scale = scale;
    all.floor = floor;
    all.ignore_index = kIgnored;
    return all;
  }

  std::int64_t rows_;
  std::int64_t classes_;
  std::vector<Element> memory;
  std::size_t first = 0;
  std::vector<std::int64_t> targets;
  std::vector<float> weight;
  float weight_sum = 0;
};

/// Of one row, in float64 by the formula of kernels/smoothed_targets.hpp.
struct Expected {
  double loss = 0;
  double weight = 0;
  std::vector<double> gradient;
};

template <class Element>
Expected expected_of(Rows<Element>& given, std::int64_t row, double scale, double floor) {
  Expected result;
  result.gradient.resize(static_cast<std::size_t>(given.classes_));
  const std::int64_t target = given.targets[static_cast<std::size_t>(row)];
  if (target == kIgnored) {
    return result;
  }
  double most = -std::numeric_limits<double>::infinity();
  for (std::int64_t c = 0; c < given.classes_; ++c) {
    most = std::max(most, given.logit(row, c));
  }
  double sum = 0;
  double weights = 0;
  for (std::int64_t c = 0; c < given.classes_; ++c) {
    sum += std::exp(given.logit(row, c) - most);
    weights += given.weight_of(c);
  }
  result.weight = given.weight_of(target);
  for (std::int64_t c = 0; c < given.classes_; ++c) {
    const double log_p = given.logit(row, c) - most - std::log(sum);
    const double asked = (c == target ? scale : 0) + floor;
    if (asked != 0) {
      result.loss -= asked * given.weight_of(c) * log_p;
    }
    result.gradient[static_cast<std::size_t>(c)] =
        std::exp(log_p) * (scale * result.weight + floor * weights) - asked * given.weight_of(c);
  }
  return result;
}

template <class Element>
constexpr double kRounding = 0x1p-22;
template <>
constexpr double kRounding<__half> = 0x1p-11;
template <>
constexpr double kRounding<__nv_bfloat16> = 0x1p-8;

struct Results {
  std::vector<float> losses, weights;
  std::vector<rt::cuda::RowStatistics> statistics;
};

template <class Element>
Results forward(const SmoothedRows& call) {
  Results results;
  const auto rows = static_cast<std::size_t>(call.rows);
  results.losses.assign(rows, -1);
  results.weights.assign(rows, -1);
  results.statistics.resize(rows);
  rt::cuda::smoothed_cross_entropy_forward<Element>(
      call, results.losses.data(), results.weights.data(), results.statistics.data(), nullptr);
  return results;
}

template <class Element>
void check(Rows<Element>& given, float scale, float floor, bool each_row) {
  const SmoothedRows call = given.call(scale, floor);
  const auto rows = static_cast<std::size_t>(given.rows_);
  std::vector<Expected> expected;
  for (std::int64_t row = 0; row < given.rows_; ++row) {
    expected.push_back(
        expected_of(given, row, static_cast<double>(scale), static_cast<double>(floor)));
  }
  std::vector<float> factors;
  for (std::size_t row = 0; row < (each_row ? rows : 1); ++row) {
    factors.push_back(0.25f * static_cast<float>(row % 3 + 1));
  }
  rt::simt::for_each_schedule([&] {
    const Results results = forward<Element>(call);
    std::vector<Element> gradient(given.memory.size() + 1);
    // Not always at the same offset from a multiple of 16 bytes as the logits.
    const std::size_t first = given.first + (each_row ? 1 : 0);
    rt::cuda::smoothed_cross_entropy_backward(call, results.statistics.data(), factors.data(),
                                              each_row, gradient.data() + first, nullptr);
    std::int64_t wrong = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const Expected& wanted = expected[row];
      wrong += !(std::abs(results.losses[row] - wanted.loss) <= 4e-6 * (1 + wanted.loss));
      wrong += results.weights[row] != static_cast<float>(wanted.weight);
      const double factor = static_cast<double>(factors[each_row ? row : 0]);
      for (std::size_t c = 0; c < wanted.gradient.size(); ++c) {
        const double got = static_cast<double>(
            rt::cuda::to_float(gradient[first + row * wanted.gradient.size() + c]));
        const double want = factor * wanted.gradient[c];
        wrong += !(std::abs(got - want) <= kRounding<Element> * std::abs(want) + 1e-6);
      }
    }
    CHECK(wrong == 0);
    // What lies around the gradient is left alone.
    CHECK(rt::cuda::to_float(gradient[first + rows * std::size_t(given.classes_)]) == 0);
    CHECK((first == 0 || rt::cuda::to_float(gradient[first - 1]) == 0));
  });
}

}  // namespace

TEMPLATE_TEST_CASE("cuda: smoothed cross entropy equals its formula", "[cuda]", float, __half,
                   __nv_bfloat16) {
  const std::int64_t classes =
      GENERATE(1, 2, 3, 4, 5, 10, 16, 17, 31, 32, 33, 64, 65, 100, 1000, 2048, 2049);
  const int off = GENERATE(0, 1, 3);
  const bool weighted = GENERATE(false, true);
  Rows<TestType> given(classes > 500 ? 3 : 67, classes, off, weighted);
  check(given, 0.8f, 0.2f / static_cast<float>(classes), weighted);
}

TEMPLATE_TEST_CASE("cuda: smoothed cross entropy of many classes", "[cuda]", float, __nv_bfloat16) {
  Rows<TestType> given(2, 50257, 1, false);
  check(given, 0.9f, 0.1f / 50257, false);
}

TEST_CASE("cuda: smoothed cross entropy without smoothing, weighted or not", "[cuda]") {
  Rows<float> given(GENERATE(1, 63, 64, 65, 1000), 10, 0, GENERATE(false, true));
  check(given, 1, 0, true);
}

TEST_CASE("cuda: smoothed cross entropy by one block that has several rows", "[cuda]") {
  // As where rows are more than blocks: each row's sums lie where those of the one before did.
  constexpr std::int64_t kClasses = rt::cuda::kMostWarpClasses + 52;
  Rows<float> given(4, kClasses, 0, false);
  const SmoothedRows call = given.call(0.9f, 0.1f / kClasses);
  const Results expected = forward<float>(call);
  rt::simt::for_each_schedule([&] {
    Results results = expected;
    std::fill(results.losses.begin(), results.losses.end(), -1.0f);
    rt::cuda::launch("LabelSmoothingLoss",
                     rt::cuda::smoothed_cross_entropy_forward_kernel<float, rt::cuda::kRowBlock>,
                     dim3(1), dim3(rt::cuda::kRowBlock), nullptr, call, results.losses.data(),
                     results.weights.data(), results.statistics.data());
    CHECK(results.losses == expected.losses);
  });
}

TEST_CASE("cuda: smoothed cross entropy of large logits keeps its digits", "[cuda]") {
  const std::int64_t classes = GENERATE(10, 1000, 5000);
  Rows<float> given(5, classes, 0, false);
  for (std::int64_t i = 0; i < 5 * classes; ++i) {
    given.logits()[i] += 16384;  // of which the logits' sum keeps three binary places
  }
  check(given, 0.8f, 0.2f / static_cast<float>(classes), false);
}

TEST_CASE("cuda: rows with nan, inf or nothing but -inf have nan; a single -inf has not",
          "[cuda]") {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::int64_t classes = GENERATE(10, 100, 5000);
  Rows<float> given(5, classes, 0, false);
  given.targets = {1, 1, 1, 1, kIgnored};
  float* const logits = given.logits();
  logits[0 * classes + 7] = kNan;
  logits[1 * classes + 7] = kInf;
  std::fill(logits + 2 * classes, logits + 3 * classes, -kInf);
  logits[3 * classes + 7] = -kInf;
  logits[4 * classes + 7] = kNan;
  const SmoothedRows call = given.call(1, 0);
  const Results results = forward<float>(call);
  std::vector<float> gradient(static_cast<std::size_t>(5 * classes));
  const float factor = 1;
  rt::cuda::smoothed_cross_entropy_backward(call, results.statistics.data(), &factor, false,
                                            gradient.data(), nullptr);
  for (std::size_t row = 0; row < 3; ++row) {
    CHECK(std::isnan(results.losses[row]));
    CHECK(std::isnan(gradient[row * std::size_t(classes)]));
  }
  CHECK(std::isfinite(results.losses[3]));
  CHECK(gradient[3 * std::size_t(classes) + 7] == 0);
  CHECK(results.losses[4] == 0);
  CHECK(gradient[4 * std::size_t(classes) + 7] == 0);
}

TEST_CASE("cuda: smoothed cross entropy stops at a label that is no class", "[cuda]") {
  Rows<float> given(40, 10, 0, false);
  given.targets[33] = GENERATE(-1, 10);
  CHECK_THROWS_AS(forward<float>(given.call(1, 0)), rt::simt::Error);
}

TEST_CASE("cuda: smoothed cross entropy of no rows launches nothing", "[cuda]") {
  Rows<float> given(0, 10, 0, false);
  CHECK(forward<float>(given.call(1, 0)).losses.empty());
}
