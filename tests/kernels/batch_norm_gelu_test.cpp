#include "regtorch/kernels/batch_norm_gelu.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/float_formats.hpp"
#include "regtorch/kernels/philox.hpp"

namespace batch_norm_gelu_test {

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

/// Rows and gradients from a fixed stream of random words, with each channel's numbers far from
/// zero, and what a normalization does to them.
template <class Format>
struct Problem {
  using T = Stored<Format>;

  Problem(std::int64_t n, std::int64_t c)
      : rows(n), channels(c), x(static_cast<std::size_t>(n * c)), dy(x.size()) {
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
    }
  }

  BatchNormChannels norm() const { return {mean.data(), scale.data(), shift.data()}; }

  /// What the definition makes of an element, in float64.
  struct Element {
    double centred;   ///< x - mean
    double u;         ///< before GELU
    double size;      ///< |terms of u|, of which its rounding error is
    double y;         ///< after GELU
    double gradient;  ///< before GELU, of dy
    double dy;
  };
  Element at(std::size_t i) const {
    const std::size_t c = i % mean.size();
    const double centred = static_cast<double>(Format::read(x[i])) - mean[c];
    const double u = centred * scale[c] + shift[c];
    const double cdf = 0.5 * std::erfc(-u / std::numbers::sqrt2);
    const double density = std::exp(-0.5 * u * u) / std::sqrt(2 * std::numbers::pi);
    const double incoming = Format::read(dy[i]);
    return {centred,
            u,
            std::abs(centred * scale[c]) + std::abs(shift[c]),
            u * cdf,
            incoming * (cdf + u * density),
            incoming};
  }

  std::int64_t rows;
  std::int64_t channels;
  std::vector<T> x, dy;
  std::vector<float> mean, scale, shift, slope, offset;
};

/// Rounding in float32 of a sum of a few terms, relative to their size.
constexpr double kRounding = 0x1p-22;
/// How far normal_at may be off.
constexpr double kCdf = 0x1p-21;

/// For each channel the sums of two terms of an element, and of their sizes, which the error of
/// float32 sums of 64 rows is relative to.
struct Sums {
  double first = 0, second = 0, size_first = 0, size_second = 0;
};

template <class Format, class Terms>
void check_sums(const Problem<Format>& problem, const std::vector<double>& first,
                const std::vector<double>& second, double error_of_term, const Terms& terms) {
  std::vector<Sums> wanted(static_cast<std::size_t>(problem.channels));
  for (std::size_t i = 0; i < problem.x.size(); ++i) {
    const auto [a, b, size_a, size_b] = terms(i);
    Sums& sums = wanted[i % wanted.size()];
    sums.first += a;
    sums.second += b;
    sums.size_first += size_a;
    sums.size_second += size_b;
  }
  const double error = 64 * 0x1p-24 + error_of_term;
  std::size_t wrong = 0;
  for (std::size_t c = 0; c < wanted.size(); ++c) {
    wrong += !(std::abs(first[c] - wanted[c].first) <= error * wanted[c].size_first);
    wrong += !(std::abs(second[c] - wanted[c].second) <= error * wanted[c].size_second);
  }
  CHECK(wrong == 0);
  CHECK(first.back() == kUntouched);
  CHECK(second.back() == kUntouched);
}

template <class Format>
void check_problem(const Problem<Format>& problem, Isa isa) {
  const auto sums_size = static_cast<std::size_t>(problem.channels + 1);
  {
    std::vector<double> sums(sums_size, kUntouched), squares(sums_size, kUntouched);
    batch_norm_moments<Format>(problem.x.data(), problem.rows, problem.channels,
                               problem.mean.data(), sums.data(), squares.data(), isa);
    check_sums(problem, sums, squares, kRounding, [&](std::size_t i) {
      const double d = problem.at(i).centred;
      return Sums{d, d * d, std::abs(d), d * d};
    });
  }
  {
    std::vector<double> sums(sums_size, kUntouched), products(sums_size, kUntouched);
    batch_norm_gelu_gradient_sums<Format>(problem.x.data(), problem.dy.data(), problem.rows,
                                          problem.channels, problem.norm(), sums.data(),
                                          products.data(), isa);
    check_sums(problem, sums, products, 4 * kCdf, [&](std::size_t i) {
      const auto e = problem.at(i);
      const double size = std::abs(e.dy) * (1 + e.size);
      return Sums{e.gradient, e.gradient * e.centred, size, size * std::abs(e.centred)};
    });
  }
  std::vector<Stored<Format>> y(problem.x.size() + 1, Format::write(kUntouched));
  batch_norm_gelu<Format>(problem.x.data(), y.data(), problem.rows, problem.channels,
                          problem.norm(), isa);
  std::vector<Stored<Format>> dx(problem.x.size() + 1, Format::write(kUntouched));
  batch_norm_gelu_input_gradient<Format>(problem.x.data(), problem.dy.data(), dx.data(),
                                         problem.rows, problem.channels, problem.norm(),
                                         problem.slope.data(), problem.offset.data(), isa);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < problem.x.size(); ++i) {
    const auto e = problem.at(i);
    const std::size_t c = i % problem.mean.size();
    const double y_error =
        kCdf * std::abs(e.u) + 2 * kRounding * e.size + kUnit<Format> * std::abs(e.y);
    wrong += !(std::abs(Format::read(y[i]) - e.y) <= y_error + kLeast<Format>);

    const double wanted =
        e.gradient * problem.scale[c] + e.centred * problem.slope[c] + problem.offset[c];
    const double dx_error =
        4 * kCdf * std::abs(e.dy * problem.scale[c]) * (1 + e.size) +
        2 * kRounding * (std::abs(e.centred * problem.slope[c]) + std::abs(problem.offset[c])) +
        kUnit<Format> * std::abs(wanted);
    wrong += !(std::abs(Format::read(dx[i]) - wanted) <= dx_error + kLeast<Format>);
  }
  CHECK(wrong == 0);
  CHECK(Format::read(y.back()) == kUntouched);
  CHECK(Format::read(dx.back()) == kUntouched);
}

}  // namespace

TEST_CASE("batch normalization with GELU is its formula", "[kernels]") {
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

}  // namespace batch_norm_gelu_test
