#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>

#include "regtorch/training/lr_schedule.hpp"

namespace regtorch {

/// A factor of the initial rate that goes straight from point to point, and is constant before the
/// first and after the last.
///
///     lr_k = lr_initial (f_i + (f_(i+1) - f_i) (k - k_i) / (k_(i+1) - k_i))     for k_i <= k <=
///     k_(i+1)
///
///     // up from a fifth over 200 steps, and down to nothing at 1000
///     rt::PiecewiseLinearLR schedule(optimizer, {{0, 0.2}, {200, 1}, {1000, 0}});
///
/// Equal to Python's LambdaLR(optimizer, lambda k: numpy.interp(k, steps, factors)).
class PiecewiseLinearLR : public LRSchedule {
 public:
  /// A corner of the curve.
  struct Point {
    std::int64_t step;  ///< at least 0
    double factor;      ///< of the initial rate, finite, at least 0
  };

  /// @param optimizer  whose rates are set; it must outlive the schedule
  /// @param points  at least one, each at a later step than the one before
  /// @throws c10::ValueError if the points are not so
  PiecewiseLinearLR(torch::optim::Optimizer& optimizer, std::vector<Point> points)
      : LRSchedule(optimizer, lines(std::move(points))) {}

 private:
  static Rate lines(std::vector<Point> points) {
    TORCH_CHECK_VALUE(!points.empty(), "PiecewiseLinearLR: wanted at least one point, got none");
    std::int64_t earliest = 0;
    for (const Point& point : points) {
      TORCH_CHECK_VALUE(point.step >= earliest, "PiecewiseLinearLR: wanted a point at step ",
                        earliest, " or later, got ", point.step);
      TORCH_CHECK_VALUE(point.factor >= 0 && std::isfinite(point.factor),
                        "PiecewiseLinearLR: wanted a finite factor of at least 0 at step ",
                        point.step, ", got ", point.factor);
      earliest = point.step + 1;
    }
    return [points = std::move(points)](std::int64_t step, double initial) {
      const auto later = [](std::int64_t k, const Point& point) { return k < point.step; };
      const auto next = std::upper_bound(points.begin(), points.end(), step, later);
      if (next == points.begin()) {
        return initial * points.front().factor;
      }
      const Point& last = *std::prev(next);
      if (next == points.end()) {
        return initial * last.factor;
      }
      const double done =
          static_cast<double>(step - last.step) / static_cast<double>(next->step - last.step);
      return initial * std::lerp(last.factor, next->factor, done);
    };
  }
};

}  // namespace regtorch
