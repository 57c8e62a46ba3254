#include "regtorch/weights/device_norms.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/norms.hpp"
#include "regtorch/weights/max_norm.hpp"

/// There is no device here: functions that work on the CPU's memory stand in the table, and show
/// what they were given.
namespace {

using namespace rt::kernels;

/// Another table for the time of a scope.
class Table {
 public:
  Table() : before_(device_kernels()) {
    auto& table = device_kernels();
    table.penalty = [](int, const WeightArrays* arrays, std::int64_t count, const PenaltyRule& rule,
                       Sums* of_chunks, float* value) {
      const Sums total = sums_of(arrays, count, of_chunks);
      *value = static_cast<float>((rule.has_l1 ? rule.l1 * total.absolute : 0) +
                                  (rule.has_l2 ? rule.l2 * total.squares : 0));
    };
    table.penalty_gradient = [](int, const WeightArrays* arrays, std::int64_t count,
                                const PenaltyRule& rule, const float* incoming) {
      for (std::int64_t k = 0; k < count; ++k) {
        penalty_gradient(arrays[k].in, arrays[k].out, 0, arrays[k].size,
                         static_cast<double>(*incoming) * rule.l1,
                         static_cast<double>(*incoming) * rule.l2, Isa::kBaseline);
      }
    };
    table.clip_norm = [](int, const WeightArrays* arrays, std::int64_t count, double max_norm,
                         Sums* of_chunks, float* norm, float* factor) {
      *norm = static_cast<float>(std::sqrt(sums_of(arrays, count, of_chunks).squares));
      *factor = static_cast<float>(max_norm / (static_cast<double>(*norm) + 1e-6));
      for (std::int64_t k = 0; k < count; ++k) {
        scale(arrays[k].out, 0, arrays[k].size, std::min(static_cast<double>(*factor), 1.0),
              Isa::kBaseline);
      }
    };
    table.max_norm = [](int, const FilterArrays* arrays, std::int64_t count, double most) {
      for (std::int64_t k = 0; k < count; ++k) {
        for (std::int64_t filter = 0; filter < arrays[k].filters; ++filter) {
          float* const w = arrays[k].w + filter * arrays[k].size;
          const double norm =
              std::sqrt(sums<false, true>(w, 0, arrays[k].size, Isa::kBaseline).squares);
          if (norm > most) {
            scale(w, 0, arrays[k].size, most / (norm + 1e-7), Isa::kBaseline);
          }
        }
      }
    };
  }
  ~Table() { device_kernels() = before_; }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

 private:
  /// All scratch is written, so that a sanitizer sees if there is too little.
  static Sums sums_of(const WeightArrays* arrays, std::int64_t count, Sums* of_chunks) {
    Sums total;
    for (std::int64_t k = 0; k < count; ++k) {
      for (std::int64_t chunk = 0; chunk < arrays[k].chunks(); ++chunk) {
        const std::int64_t begin = chunk * kDeviceChunk;
        *of_chunks = sums<true, true>(
            arrays[k].in, begin, std::min(begin + kDeviceChunk, arrays[k].size), Isa::kBaseline);
        total += *of_chunks++;
      }
    }
    return total;
  }

  DeviceKernels before_;
};

std::vector<torch::Tensor> some_tensors() {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3});
  return {torch::randn({33}, generator), torch::randn({0, 4}, generator),
          torch::randn({4, 3, 3, 3}, generator).contiguous(torch::MemoryFormat::ChannelsLast),
          torch::randn({10, 1000}, generator)};
}

double norm_of(const std::vector<torch::Tensor>& tensors) {
  double squares = 0;
  for (const auto& x : tensors) {
    squares += x.to(torch::kDouble).square().sum().item<double>();
  }
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("penalties on a device: the value and the gradient", "[weights]") {
  const Table table;
  const auto weights = some_tensors();
  const PenaltyRule rule{.l1 = 0.5, .l2 = 0.25, .has_l1 = true, .has_l2 = true};
  double wanted = 0;
  for (const auto& w : weights) {
    wanted += (0.5 * w.abs() + 0.25 * w.square()).sum().item<double>();
  }
  const auto value = rt::detail::penalty_on_device(weights, rule);
  CHECK(value.dim() == 0);
  CHECK(value.scalar_type() == torch::kFloat);
  CHECK(value.item<double>() == Approx(wanted).epsilon(1e-5));

  std::vector<torch::Tensor> gradients;
  for (const auto& w : weights) {
    gradients.push_back(torch::empty_like(w));
  }
  rt::detail::penalty_gradient_on_device(weights, gradients, rule,
                                         torch::full({1}, 3.0).expand({1}).select(0, 0));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(gradients[i].allclose(1.5 * weights[i].sign() + 1.5 * weights[i], 1e-5, 1e-6));
  }
}

TEST_CASE("clip_grad_norm_ on a device: the norm and the gradients", "[weights]") {
  const Table table;
  const auto gradients = some_tensors();
  const auto before = some_tensors();
  const double norm = norm_of(before);
  const auto version = gradients[0]._version();
  CHECK(rt::detail::clip_norm_on_device(gradients, 2).item<double>() == Approx(norm));
  CHECK(norm_of(gradients) == Approx(2));
  CHECK(gradients[0]._version() > version);
  rt::detail::clip_norm_on_device(gradients, 3);
  CHECK(norm_of(gradients) == Approx(2));
}

TEST_CASE("max_norm_ on a device: each filter of its own length", "[weights]") {
  const Table table;
  auto weights = some_tensors();
  weights.erase(weights.begin());  // of one dimension
  auto like = some_tensors();
  like.erase(like.begin());
  rt::detail::max_norm_on_device(weights, 2);
  rt::max_norm_(like, 2);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(weights[i].allclose(like[i], 1e-6, 0));
  }
}

TEST_CASE("what is on the CPU is not a device's", "[weights]") {
  CHECK_FALSE(rt::detail::is_dense_on_device(torch::zeros({3})));
  CHECK_FALSE(rt::detail::are_dense_on_device_and_apart(some_tensors()));
}
