#pragma once

#include <limits>

namespace regtorch {

/// Whether a lower or a higher value of a metric is better.
enum class MonitorMode { kMin, kMax };

/// Whether `value` is better than `other` by more than `min_delta`; a NaN is better than nothing,
/// and nothing is better than a NaN.
constexpr bool is_better(double value, double other, MonitorMode mode, double min_delta = 0) {
  return mode == MonitorMode::kMin ? value < other - min_delta : value > other + min_delta;
}

/// The value that every other is better than.
constexpr double worst_value(MonitorMode mode) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return mode == MonitorMode::kMin ? kInfinity : -kInfinity;
}

}  // namespace regtorch
