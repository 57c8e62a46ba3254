#include "regtorch/kernels/batch_norm.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/float_formats.hpp"
#include "regtorch/kernels/philox.hpp"

namespace batch_norm_test {

using namespace regtorch::kernels;

namespace {

/// A number's relative rounding error in memory, and the least distance of two.
template <class Format>
constexpr double kUnit = 0;
template <>
constexpr double kUnit<BFloat16Format> = 0x1p-8;
template <>
constexpr double kUnit<Float16Format> = 0x1p-11;
template <class Format>
constexpr double kLeast = 0;
template <>
constexpr double kLeast<Float16Format> = 0x1p-24;

constexpr float kUntouched = 99;

/// Rounding in float32 of a sum of a few terms, relative to their size.
constexpr double kRounding = 0x1p-22;

/// Activations by their definitions in float64, and how far the kernels' may be off, u being off by
/// `u_error`.
struct GeluByDefinition {
  using Activation = Gelu;
  static constexpr double kCdf = 0x1p-21;  ///< how far normal_at may be off

  static double cdf(double u) { return 0.5 * std::erfc(-u / std::numbers::sqrt2); }
  static double value(double u) { return u * cdf(u); }
  static double derivative(double u) {
    return cdf(u) + u * std::exp(-0.5 * u * u) / std::sqrt(2 * std::numbers::pi);
  }
  static double value_error(double u, double u_error) {
    return kCdf * std::abs(u) + 1.2 * u_error;  // gelu' is at most 1.13
  }
  static double derivative_error(double u, double u_error) {
    return 2 * kCdf * (1 + std::abs(u)) + u_error;
  }
};

struct ReluByDefinition {
  using Activation = Relu;

  static double value(double u) { return std::max(u, 0.0); }
  static double derivative(double u) { return u > 0 ? 1 : 0; }
  static double value_error(double /*u*/, double u_error) { return u_error; }
  static double derivative_error(double u, double u_error) { return std::abs(u) <= u_error; }
};

/// Rows, shortcuts and gradients from a fixed stream of random words, with each channel's numbers
/// far from zero, and what a normalization does to them.
template <class Format>
struct Problem {
  using T = Stored<Format>;

  Problem(std::int64_t n, std::int64_t c)
      : rows(n), channels(c), x(static_cast<std::size_t>(n * c)), shortcut(x.size()), dy(x.size()) {
    const RandomStream random{3, 0, 0};
    const auto uniform = [&](std::uint64_t i, std::size_t word) {  // in [-1, 1)
      return static_cast<float>(random.block(i)[word]) * 0x1p-31f - 1;
    };
    for (std::int64_t i = 0; i < channels; ++i) {
      const auto k = static_cast<std::uint64_t>(i) + 1'000'000;
      mean.push_back(10 * uniform(k, 0));
      scale.push_back(2 * uniform(k, 1));
      shift.push_back(uniform(k, 2));
      slope.push_back(uniform(k, 3));
      offset.push_back(0.5f * uniform(k + 500'000, 0));
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = Format::write(mean[i % mean.size()] + 3 * uniform(i, 0));
      dy[i] = Format::write(uniform(i, 1));
      shortcut[i] = Format::write(2 * uniform(i, 2));
    }
  }

  BatchNormChannels norm() const { return {mean.data(), scale.data(), shift.data()}; }

  double centred(std::size_t i) const {
    return static_cast<double>(Format::read(x[i])) - mean[i % mean.size()];
  }
  double incoming(std::size_t i) const { return Format::read(dy[i]); }

  std::int64_t rows;
  std::int64_t channels;
  std::vector<T> x, shortcut, dy;
  std::vector<float> mean, scale, shift, slope, offset;
};

/// A number by its definition in float64, and how far it may be off.
struct Wanted {
  double value;
  double error;
};

template <class Format>
std::size_t count_wrong(const std::vector<Stored<Format>>& got, const auto& wanted_at) {
  std::size_t wrong = 0;
  for (std::size_t i = 0; i + 1 < got.size(); ++i) {
    const Wanted wanted = wanted_at(i);
    const double error = wanted.error + kUnit<Format> * std::abs(wanted.value) + kLeast<Format>;
    wrong += !(std::abs(Format::read(got[i]) - wanted.value) <= error);
  }
  return wrong + !(Format::read(got.back()) == kUntouched);
}

/// The sums of two terms of each element, `terms(i)`, over each channel.
template <class Format>
std::size_t count_wrong_sums(const Problem<Format>& problem, const std::vector<double>& first,
                             const std::vector<double>& second, const auto& terms) {
  const auto channels = static_cast<std::size_t>(problem.channels);
  std::vector<Wanted> wanted_first(channels), wanted_second(channels);
  const auto add = [](Wanted& sum, const Wanted& term) {
    sum.value += term.value;
    // Of up to 64 terms, added up in float32.
    sum.error += term.error + 64 * 0x1p-24 * std::abs(term.value);
  };
  for (std::size_t i = 0; i < problem.x.size(); ++i) {
    const auto [a, b] = terms(i);
    add(wanted_first[i % channels], a);
    add(wanted_second[i % channels], b);
  }
  std::size_t wrong = !(first.back() == kUntouched) + !(second.back() == kUntouched);
  for (std::size_t c = 0; c < channels; ++c) {
    wrong += !(std::abs(first[c] - wanted_first[c].value) <= wanted_first[c].error);
    wrong += !(std::abs(second[c] - wanted_second[c].value) <= wanted_second[c].error);
  }
  return wrong;
}

template <class Format>
void check_moments(const Problem<Format>& problem, Isa isa) {
  std::vector<double> sums(static_cast<std::size_t>(problem.channels + 1), kUntouched);
  std::vector<double> squares = sums;
  batch_norm_moments<Format>(problem.x.data(), problem.rows, problem.channels, problem.mean.data(),
                             sums.data(), squares.data(), isa);
  CHECK(count_wrong_sums(problem, sums, squares, [&](std::size_t i) {
          const double d = problem.centred(i);
          return std::pair{Wanted{d, kRounding * std::abs(d)}, Wanted{d * d, kRounding * d * d}};
        }) == 0);
}

template <class ByDefinition, class Format>
void check_passes(const Problem<Format>& problem, bool with_shortcut, Isa isa) {
  using Activation = typename ByDefinition::Activation;
  using T = Stored<Format>;
  const T* const shortcut = with_shortcut ? problem.shortcut.data() : nullptr;
  const auto before = [&](std::size_t i) {  // the activation
    const std::size_t c = i % problem.mean.size();
    const double scaled = problem.centred(i) * problem.scale[c];
    const double added = with_shortcut ? Format::read(problem.shortcut[i]) : 0;
    return Wanted{
        scaled + problem.shift[c] + added,
        kRounding * 2 * (std::abs(scaled) + std::abs(problem.shift[c]) + std::abs(added))};
  };
  std::vector<T> y(problem.x.size() + 1, Format::write(kUntouched));
  batch_norm<Format, Activation>(problem.x.data(), shortcut, y.data(), problem.rows,
                                 problem.channels, problem.norm(), isa);
  CHECK(count_wrong<Format>(y, [&](std::size_t i) {
          const Wanted u = before(i);
          return Wanted{ByDefinition::value(u.value), ByDefinition::value_error(u.value, u.error)};
        }) == 0);

  const auto gradient = [&](std::size_t i) {  // before the activation
    const double dy = problem.incoming(i);
    if (with_shortcut) {
      return Wanted{Format::read(y[i]) > 0 ? dy : 0, 0};
    }
    const Wanted u = before(i);
    const double derivative_error = ByDefinition::derivative_error(u.value, u.error);
    return Wanted{dy * ByDefinition::derivative(u.value),
                  std::abs(dy) * derivative_error + kRounding * std::abs(dy)};
  };
  std::vector<T> dz(problem.x.size() + 1, Format::write(kUntouched));
  std::vector<double> sums(static_cast<std::size_t>(problem.channels + 1), kUntouched);
  std::vector<double> products = sums;
  batch_norm_gradient_sums<Format, Activation>(
      problem.x.data(), with_shortcut ? y.data() : nullptr, problem.dy.data(),
      with_shortcut ? dz.data() : nullptr, problem.rows, problem.channels, problem.norm(),
      sums.data(), products.data(), isa);
  CHECK(count_wrong_sums(problem, sums, products, [&](std::size_t i) {
          const Wanted g = gradient(i);
          const double d = problem.centred(i);
          return std::pair{
              g, Wanted{g.value * d, (g.error + kRounding * std::abs(g.value)) * std::abs(d)}};
        }) == 0);
  if (with_shortcut) {
    CHECK(count_wrong<Format>(dz, gradient) == 0);
  }

  std::vector<T> dx(problem.x.size() + 1, Format::write(kUntouched));
  const auto input_gradient = [&](auto activation, const T* incoming) {
    batch_norm_input_gradient<Format, decltype(activation)>(
        problem.x.data(), incoming, dx.data(), problem.rows, problem.channels, problem.norm(),
        problem.slope.data(), problem.offset.data(), isa);
  };
  if (with_shortcut) {
    input_gradient(Identity(), dz.data());
  } else {
    input_gradient(Activation(), problem.dy.data());
  }
  CHECK(count_wrong<Format>(dx, [&](std::size_t i) {
          const std::size_t c = i % problem.mean.size();
          const Wanted g = gradient(i);
          const double sloped = problem.centred(i) * problem.slope[c];
          return Wanted{g.value * problem.scale[c] + sloped + problem.offset[c],
                        g.error * std::abs(problem.scale[c]) +
                            kRounding * 2 *
                                (std::abs(g.value * problem.scale[c]) + std::abs(sloped) +
                                 std::abs(problem.offset[c]))};
        }) == 0);
}

template <class Format>
void check_problem(const Problem<Format>& problem, Isa isa) {
  check_moments(problem, isa);
  check_passes<GeluByDefinition>(problem, false, isa);
  check_passes<ReluByDefinition>(problem, false, isa);
  check_passes<ReluByDefinition>(problem, true, isa);
}

}  // namespace

TEST_CASE("batch normalization with an activation is its formula", "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (const std::int64_t channels : {1, 2, 15, 16, 17, 24, 31, 32, 33, 64, 257}) {
      for (const std::int64_t rows : {1, 2, 63, 64, 65, 200}) {
        INFO(to_string(isa) << ": " << rows << " x " << channels);
        check_problem(Problem<Float32Format>(rows, channels), isa);
        check_problem(Problem<BFloat16Format>(rows, channels), isa);
        check_problem(Problem<Float16Format>(rows, channels), isa);
      }
    }
  }
}

TEST_CASE("batch normalization with ReLU passes nan on, and no infinity below zero", "[kernels]") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> of_channels(33, 1);
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    // In a whole block of lanes and in one that is left.
    for (const std::size_t channels : {32, 33, 1}) {
      const std::vector<float> zeros(channels, 0), dy(channels, 5);
      const auto passed = [&](float x) {
        const std::vector<float> in(channels, x);
        std::vector<float> y(channels), dz(channels);
        std::vector<double> sums(channels), products(channels);
        const BatchNormChannels norm{zeros.data(), of_channels.data(), zeros.data()};
        const auto size = static_cast<std::int64_t>(channels);
        batch_norm<Float32Format, Relu>(in.data(), nullptr, y.data(), 1, size, norm, isa);
        batch_norm_gradient_sums<Float32Format, Relu>(in.data(), y.data(), dy.data(), dz.data(), 1,
                                                      size, norm, sums.data(), products.data(),
                                                      isa);
        return std::array{y.back(), dz.back(), static_cast<float>(sums.back())};
      };
      CHECK(std::isnan(passed(kNan)[0]));
      CHECK(passed(kNan)[1] == 5);
      CHECK(passed(kNan)[2] == 5);
      CHECK(passed(kInfinity) == std::array{kInfinity, 5.0f, 5.0f});
      CHECK(passed(-kInfinity) == std::array{0.0f, 0.0f, 0.0f});
      CHECK(passed(0) == std::array{0.0f, 0.0f, 0.0f});
      CHECK_FALSE(std::signbit(passed(-0.0f)[0]));
    }
  }
}

TEST_CASE("moments are exact far from zero, if the pivot is near", "[kernels]") {
  // 10,000 +- 2^-7: in float32 the squares alone would leave nothing of the difference.
  std::vector<float> x;
  for (int i = 0; i < 1000; ++i) {
    x.push_back(10000.0f + (i % 2 == 0 ? 0x1p-7f : -0x1p-7f));
  }
  const float pivot = x[0];
  double sum = 0;
  double squares = 0;
  batch_norm_moments<Float32Format>(x.data(), 1000, 1, &pivot, &sum, &squares, active_isa());
  CHECK(sum == -500 * 0x1p-6);
  CHECK(squares == 500 * 0x1p-12);
}

}  // namespace batch_norm_test
