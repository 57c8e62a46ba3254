#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include <c10/util/Exception.h>

namespace regtorch::report {

/// A mean, and half the width of its confidence interval.
struct Estimate {
  double mean;        ///< of the values
  double half_width;  ///< infinity for a single value, which says nothing of others
};

namespace detail {

/// The probability that Student's t with `freedom` degrees of freedom is at most x >= 0.
///
/// For whole degrees of freedom the distribution is a finite sum (Abramowitz and Stegun, 26.7.3 and
/// 26.7.4): with theta = atan(x / sqrt(freedom)) and c = cos(theta)^2.
inline double student_t_cdf(double x, std::int64_t freedom) {
  const double theta = std::atan(x / std::sqrt(static_cast<double>(freedom)));
  const double c = std::cos(theta) * std::cos(theta);
  const bool odd = freedom % 2 == 1;
  // Even: 1 + c/2 + (1*3)/(2*4) c^2 + ... + c^(freedom/2 - 1); odd: 1 + 2/3 c + (2*4)/(3*5) c^2 ...
  double term = 1;
  double sum = freedom > 1 ? 1 : 0;
  for (std::int64_t k = odd ? 3 : 2; k < freedom; k += 2) {
    term *= c * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  const double inside =  // of [-x, x]
      odd ? 2 / std::numbers::pi * (theta + std::sin(theta) * std::cos(theta) * sum)
          : std::sin(theta) * sum;
  return 0.5 + inside / 2;
}

}  // namespace detail

/// The x that Student's t exceeds with probability 1 - probability.
///
/// @param probability  in [0.5, 1)
/// @param freedom      degrees of freedom, at least 1
/// @throws c10::ValueError for any other
inline double student_t_quantile(double probability, std::int64_t freedom) {
  TORCH_CHECK_VALUE(probability >= 0.5 && probability < 1,
                    "student_t_quantile: wanted a probability in [0.5, 1), got ", probability);
  TORCH_CHECK_VALUE(freedom >= 1, "student_t_quantile: wanted at least 1 degree of freedom, got ",
                    freedom);
  double high = 1;
  while (detail::student_t_cdf(high, freedom) < probability && high < 1e300) {
    high *= 2;
  }
  double low = 0;
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = low + (high - low) / 2;
    (detail::student_t_cdf(middle, freedom) < probability ? low : high) = middle;
  }
  return high;
}

/// The mean of independent measurements, and the interval that holds the true one with the given
/// probability if they are normally distributed:
///
///     mean +- t(n - 1) * s / sqrt(n),    s^2 = sum of (x_i - mean)^2 / (n - 1)
///
/// @param values      at least one
/// @param confidence  in [0, 1); default 0.95
/// @throws c10::ValueError for no values or another confidence
///
/// Source: Student, "The probable error of a mean", 1908.
inline Estimate confidence_interval(const std::vector<double>& values, double confidence = 0.95) {
  TORCH_CHECK_VALUE(!values.empty(), "confidence_interval: wanted at least 1 value, got 0");
  TORCH_CHECK_VALUE(confidence >= 0 && confidence < 1,
                    "confidence_interval: wanted a confidence in [0, 1), got ", confidence);
  const auto count = static_cast<double>(values.size());
  double mean = 0;
  for (const double value : values) {
    mean += value / count;
  }
  if (values.size() == 1) {
    return {mean, std::numeric_limits<double>::infinity()};
  }
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  const auto freedom = static_cast<std::int64_t>(values.size()) - 1;
  const double t = student_t_quantile((1 + confidence) / 2, freedom);
  return {mean, t * std::sqrt(squares / static_cast<double>(freedom) / count)};
}

}  // namespace regtorch::report
