#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <c10/util/Exception.h>

namespace regtorch::report {

/// The largest magnitude an axis can show: above it, differences and round numbers overflow.
inline constexpr double kLargestTick = 1e300;

/// Where an axis has its ticks, ascending, and what stands beside each.
struct AxisTicks {
  std::vector<double> values;       ///< where, in the units of the axis
  std::vector<std::string> labels;  ///< what stands there, one each
};

namespace detail {

/// value = mantissa * 10^exponent, rounded once where 10^|exponent| is exact (up to 22): that the
/// tick 0.6 is the double 0.6, not 3 * 0.2, keeps it from lying beside a value of 0.6.
inline double decimal(std::int64_t mantissa, int exponent) {
  const double power = std::pow(10.0, std::abs(exponent));
  return exponent < 0 ? static_cast<double>(mantissa) / power
                      : static_cast<double>(mantissa) * power;
}

/// How much of a step is nothing but rounding: 1.1 - 0.9 is a little more than two steps of 0.1.
inline constexpr double kStepTolerance = 1e-6;

/// The least of 1, 2 and 5 times a power of ten that is at least `wanted`.
struct RoundStep {
  std::int64_t mantissa;
  int exponent;

  static RoundStep at_least(double wanted) {
    // One below, since log10 may round up.
    for (int exponent = static_cast<int>(std::floor(std::log10(wanted))) - 1;; ++exponent) {
      for (const std::int64_t mantissa : {1, 2, 5}) {
        if (decimal(mantissa, exponent) * (1 + kStepTolerance) >= wanted) {
          return {mantissa, exponent};
        }
      }
    }
  }
};

/// Labels that differ in their digits alone: as many decimals for each and, outside of 0.001 to
/// 10^6, the same power of ten ("0.5e12", "1.0e12").
inline std::vector<std::string> tick_labels(const std::vector<std::int64_t>& mantissas,
                                            int exponent) {
  const auto largest =
      std::max(std::abs(mantissas.front()), std::max(std::abs(mantissas.back()), std::int64_t{1}));
  const int magnitude =
      static_cast<int>(std::floor(std::log10(static_cast<double>(largest)))) + exponent;
  const int power = magnitude < -3 || magnitude >= 6 ? magnitude : 0;
  std::vector<std::string> labels;
  for (const std::int64_t mantissa : mantissas) {
    std::array<char, 64> text;  // the most is "-d." and 7 digits, or 10 decimals
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), decimal(mantissa, exponent - power),
                      std::chars_format::fixed, std::max(0, power - exponent))
            .ptr;
    std::string label(text.data(), end);
    if (power != 0) {
      if (mantissa == 0) {
        label.resize(1);  // its 0 alone
      } else {
        label += 'e';
        label += std::to_string(power);
      }
    }
    labels.push_back(label);
  }
  return labels;
}

}  // namespace detail

/// Round ticks that cover [low, high]: the multiples of 1, 2 or 5 times a power of ten from the
/// last one at or below `low` to the first one at or above `high`.
///
/// The step is the least with high - low <= most_steps * step, so there are at most most_steps + 2
/// ticks. A millionth of a step counts as rounding. A range narrower than a millionth of its
/// magnitude, which no short label could show, is widened to half its middle on either side, and
/// one around 0 to [0, 1].
///
/// @param low, high   the range, of magnitudes up to kLargestTick
/// @param most_steps  how many steps the range may have, at least 1
/// @param whole       whether only whole numbers may be ticks, for epochs and counts
/// @throws c10::ValueError for any other range or number of steps
inline AxisTicks axis_ticks(double low, double high, int most_steps, bool whole = false) {
  TORCH_CHECK_VALUE(low <= high && low >= -kLargestTick && high <= kLargestTick,
                    "axis_ticks: wanted a range low <= high within ", kLargestTick, ", got [", low,
                    ", ", high, "]");
  TORCH_CHECK_VALUE(most_steps >= 1, "axis_ticks: wanted at least 1 step, got ", most_steps);
  const double magnitude = std::max(std::abs(low), std::abs(high));
  if (magnitude < 1e-290) {  // below, a millionth of it would underflow
    low = 0;
    high = 1;
  } else if (high - low < 1e-6 * magnitude) {
    low -= magnitude / 2;
    high += magnitude / 2;
  }
  const double wanted = (high - low) / most_steps;
  const auto step = detail::RoundStep::at_least(whole ? std::max(wanted, 1.0) : wanted);
  const auto value = [&](std::int64_t k) {
    return detail::decimal(k * step.mantissa, step.exponent);
  };
  const auto first = static_cast<std::int64_t>(std::floor(low / value(1) + detail::kStepTolerance));
  const auto last = static_cast<std::int64_t>(std::ceil(high / value(1) - detail::kStepTolerance));

  AxisTicks ticks;
  std::vector<std::int64_t> mantissas;
  for (std::int64_t k = first; k <= last; ++k) {
    ticks.values.push_back(value(k));
    mantissas.push_back(k * step.mantissa);
  }
  ticks.labels = detail::tick_labels(mantissas, step.exponent);
  return ticks;
}

}  // namespace regtorch::report
