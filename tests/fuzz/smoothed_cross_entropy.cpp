// The label-smoothing kernels with any rows, classes, element types, places in memory, labels,
// weights and logits, against the formula in float64, on every instruction set of the machine. The
// arrays end where the sanitizer notices what is read or written beyond.

#include "regtorch/kernels/smoothed_cross_entropy.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "fuzz.hpp"

using namespace regtorch::kernels;
using regtorch::testing::require;

namespace {

/// `size` elements, some places after where memory of the greatest alignment begins.
template <class T>
class Array {
 public:
  Array(std::size_t size, std::size_t places)
      : memory_(new T[size + places]()), data_(memory_.get() + places), size_(size) {}
  T* data() const { return data_; }
  T& operator[](std::int64_t i) const { return data_[i]; }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<T[]> memory_;
  T* data_;
  std::size_t size_;
};

struct Shape {
  std::int64_t rows;
  std::int64_t classes;
  bool weighted;
  bool with_gradient;
  bool factor_each_row;
};

template <class Format>
class Problem {
  using Stored = typename Format::Stored;

 public:
  Problem(FuzzedDataProvider& input, Shape shape, double smoothing, float factor)
      : shape_(shape),
        places_(input.ConsumeIntegralInRange<std::size_t>(0, 15)),
        logits_(static_cast<std::size_t>(shape.rows * shape.classes), places_),
        targets_(static_cast<std::size_t>(shape.rows), places_),
        weight_(static_cast<std::size_t>(shape.classes), places_),
        factors_(static_cast<std::size_t>(shape.rows), places_),
        factor_(factor) {
    const auto classes = static_cast<double>(shape.classes);
    rule_.classes = shape.classes;
    rule_.scale = static_cast<float>(1 - smoothing);
    rule_.floor = static_cast<float>(smoothing / classes);
    rule_.ignore_index = input.ConsumeBool() ? -100 : input.ConsumeIntegral<std::int64_t>();
    double sum = 0;
    for (std::int64_t c = 0; c < shape.classes; ++c) {
      weight_[c] = static_cast<float>(next_byte(input)) / 51.0f;
      sum += static_cast<double>(weight_[c]);
    }
    rule_.weight = shape.weighted ? weight_.data() : nullptr;
    rule_.weight_sum = static_cast<float>(shape.weighted ? sum : classes);
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      const auto pick = next_byte(input);
      targets_[i] = pick % 8 == 7 ? rule_.ignore_index : (pick * 257 + i) % shape.classes;
      factors_[i] = 0.25f * static_cast<float>(1 + i % 7);
    }
    const bool any_bits = input.ConsumeBool();
    const auto given = input.ConsumeRemainingBytes<std::uint8_t>();
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      Stored& logit = logits_[static_cast<std::int64_t>(i)];
      if (any_bits && (i + 1) * sizeof(Stored) <= given.size()) {
        std::memcpy(&logit, given.data() + i * sizeof(Stored), sizeof(Stored));
      } else {
        const auto byte = given.empty() ? i * 37 % 256 : given[i % given.size()];
        logit = Format::write((static_cast<float>(byte) - 128.0f) / 8.0f);
      }
    }
  }

  void check(Isa isa) const {
    const Array<Stored> gradient(shape_.with_gradient ? logits_.size() : 0, places_);
    const Array<float> losses(targets_.size(), places_);
    const LossRows<Format> rows{
        logits_.data(), targets_.data(), shape_.with_gradient ? gradient.data() : nullptr,
        losses.data(),  factor_,         shape_.factor_each_row ? factors_.data() : nullptr};
    const auto counted = count_targets(rule_, targets_.data(), 0, shape_.rows, isa);
    require(counted.bad == -1, "every label is good");
    double sum = smoothed_cross_entropy_rows<Format>(rule_, rows, 0, shape_.rows, isa);
    double magnitude = 1;
    std::int64_t kept = 0;
    for (std::int64_t row = 0; row < shape_.rows; ++row) {
      const auto loss = static_cast<double>(losses[row]);
      kept += targets_[row] != rule_.ignore_index;
      sum -= loss;
      magnitude += std::abs(loss);
      check_row(row, loss, gradient);
    }
    require(counted.kept == kept, "labels are counted");
    require(!std::isfinite(magnitude) || std::abs(sum) <= 1e-9 * magnitude,
            "the sum is that of the losses");
  }

 private:
  static std::uint8_t next_byte(FuzzedDataProvider& input) {
    return input.remaining_bytes() > 0 ? input.ConsumeIntegral<std::uint8_t>() : 0x55;
  }

  void check_row(std::int64_t row, double loss, const Array<Stored>& gradient) const {
    const std::int64_t C = shape_.classes;
    const auto target = targets_[row];
    const auto at = [&](std::int64_t c) {
      return static_cast<double>(Format::read(logits_[row * C + c]));
    };
    const auto gradient_at = [&](std::int64_t c) {
      return static_cast<double>(Format::read(gradient[row * C + c]));
    };
    const std::int64_t columns = shape_.with_gradient ? C : 0;
    if (target == rule_.ignore_index) {
      require(loss == 0, "an ignored row's loss is 0");
      for (std::int64_t c = 0; c < columns; ++c) {
        require(gradient_at(c) == 0, "an ignored row's gradient is 0");
      }
      return;
    }
    double most = -std::numeric_limits<double>::infinity();
    bool has_nan = false;
    bool finite = true;
    for (std::int64_t c = 0; c < C; ++c) {
      has_nan = has_nan || std::isnan(at(c));
      finite = finite && std::isfinite(at(c));
      most = std::max(most, at(c));
    }
    if (has_nan || std::isinf(most)) {
      require(std::isnan(loss), "the loss of a row with a nan, or of an infinite maximum, is nan");
      for (std::int64_t c = 0; c < columns; ++c) {
        require(std::isnan(gradient_at(c)), "and its gradient");
      }
      return;
    }
    if (!finite) {
      return;  // a logit of -inf: an infinite loss, or a class of no weight, in which 0 * inf is
               // nan
    }
    double total = 0;
    double weights = 0;
    double spread = 0;
    for (std::int64_t c = 0; c < C; ++c) {
      total += std::exp(at(c) - most);
      weights += static_cast<double>(rule_.weight_of(c));
      spread = std::max(spread, most - at(c));
    }
    const auto scale = static_cast<double>(rule_.scale);
    const auto floor = static_cast<double>(rule_.floor);
    const auto on_target = scale * static_cast<double>(rule_.weight_of(target));
    const double factor = static_cast<double>(shape_.factor_each_row ? factors_[row] : factor_);
    // Large logits first: their difference may be small, and the logarithm is.
    double wanted = on_target * (most - at(target) + std::log(total));
    for (std::int64_t c = 0; c < C; ++c) {
      wanted += floor * static_cast<double>(rule_.weight_of(c)) * (most - at(c) + std::log(total));
      if (c < columns) {
        const double p = std::exp(at(c) - most) / total;
        const double share = floor * static_cast<double>(rule_.weight_of(c));
        const double g =
            factor * (p * (on_target + floor * weights) - share - (c == target ? on_target : 0));
        const double bound =
            1e-5 * factor * (on_target + floor * weights) + kUnit * std::abs(g) + kLeast;
        require(std::abs(gradient_at(c) - g) <= bound, "the gradient is the formula's");
      }
    }
    // The sums are float32's; of the weights there are two, which do not quite cancel. And beyond
    // the range of float32 the loss is infinite.
    const double bound = 1e-5 * (on_target + floor * weights) * (spread + 10) +
                         1e-6 * floor * weights * std::abs(most);
    require(spread > 1e36 || std::abs(loss - wanted) <= bound, "the loss is the formula's");
  }

  /// The relative error of a stored number, and the absolute one near 0.
  static constexpr double kUnit = std::is_same_v<Format, Float32Format>    ? 0x1p-23
                                  : std::is_same_v<Format, BFloat16Format> ? 0x1p-8
                                                                           : 0x1p-11;
  static constexpr double kLeast = std::is_same_v<Format, Float16Format> ? 0x1p-24 : 1e-30;

  Shape shape_;
  std::size_t places_;
  Array<Stored> logits_;
  Array<std::int64_t> targets_;
  Array<float> weight_;
  Array<float> factors_;
  float factor_;
  SmoothedTargets rule_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input(data, size);
  Shape shape{};
  // Few classes, for which there is a way of its own, or up to more than fit the first cache.
  const bool few = input.ConsumeIntegralInRange(0, 3) != 0;
  shape.classes = input.ConsumeIntegralInRange<std::int64_t>(1, few ? 160 : 4200);
  shape.rows = input.ConsumeIntegralInRange<std::int64_t>(0, few ? 70 : 3);
  shape.weighted = input.ConsumeBool();
  shape.with_gradient = input.ConsumeBool();
  shape.factor_each_row = input.ConsumeBool();
  const double smoothing = input.ConsumeBool() ? input.ConsumeProbability<double>() : 0;
  const float factor = input.ConsumeFloatingPointInRange(0.0f, 4.0f);
  const auto check = [&]<class Format>(Format) {
    const Problem<Format> problem(input, shape, smoothing, factor);
    for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
      if (isa <= best_isa()) {
        problem.check(isa);
      }
    }
  };
  switch (input.ConsumeIntegralInRange(0, 2)) {
    case 0:
      check(Float32Format{});
      break;
    case 1:
      check(BFloat16Format{});
      break;
    default:
      check(Float16Format{});
  }
  return 0;
}
