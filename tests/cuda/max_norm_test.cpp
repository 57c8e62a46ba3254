#include "regtorch/cuda/max_norm.cuh"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "multi_tensor.hpp"
#include "simt/schedule.hpp"

namespace {

namespace rt = regtorch;
using rt::testing::Floats;
using rt::testing::number;

struct Shape {
  std::int64_t filters;
  std::int64_t size;
};

/// Every second filter is ten times as long as the others.
float weight(const Shape& shape, std::int64_t i) {
  const float size = std::sqrt(static_cast<float>(shape.size));
  return number(i, shape.size) / size * (i / shape.size % 2 == 0 ? 10.0F : 1.0F);
}

void check(const std::vector<Shape>& shapes, double max_norm) {
  std::vector<Floats> weights;
  std::vector<rt::kernels::FilterArrays> arrays;
  for (const auto& shape : shapes) {
    weights.emplace_back(shape.filters * shape.size, static_cast<int>(weights.size() % 4));
    for (std::int64_t i = 0; i < weights.back().size(); ++i) {
      weights.back()[i] = weight(shape, i);
    }
    arrays.push_back({weights.back().data(), shape.filters, shape.size});
  }
  rt::cuda::max_norm(arrays.data(), static_cast<std::int64_t>(arrays.size()), max_norm, nullptr);
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    const auto& shape = shapes[k];
    std::int64_t wrong = 0;
    for (std::int64_t filter = 0; filter < shape.filters; ++filter) {
      double squares = 0;
      for (std::int64_t i = filter * shape.size; i < (filter + 1) * shape.size; ++i) {
        squares += static_cast<double>(weight(shape, i)) * static_cast<double>(weight(shape, i));
      }
      const double norm = std::sqrt(squares);
      const double factor = norm > max_norm ? max_norm / (norm + 1e-7) : 1;
      for (std::int64_t i = filter * shape.size; i < (filter + 1) * shape.size; ++i) {
        const double wanted = factor * static_cast<double>(weight(shape, i));
        const double off = std::fabs(static_cast<double>(weights[k][i]) - wanted);
        wrong += !(off <= (factor == 1 ? 0 : 3e-7 * std::fabs(wanted)));
      }
    }
    CAPTURE(shape.filters, shape.size);
    CHECK(wrong == 0);
    CHECK(weights[k].guards_stand());
  }
}

}  // namespace

TEST_CASE("cuda::max_norm scales down the filters above the limit", "[cuda]") {
  rt::simt::for_each_schedule([] {
    check({{1, 1}, {9, 31}, {8, 32}, {17, 33}, {0, 5}, {5, 0}, {10, 1000}}, 2);
    check({{3, 2048}, {3, 2049}, {4, 50257}}, 2);
  });
  std::vector<Shape> many;
  for (std::int64_t i = 0; i < 500; ++i) {
    many.push_back({i % 10, i % 37});
  }
  check(many, 2);
}

TEST_CASE("cuda::max_norm of filters that are 0 or not finite", "[cuda]") {
  Floats w(12);
  for (std::int64_t i = 0; i < 12; ++i) {
    w[i] = i < 4 ? 0 : 3;
  }
  w[5] = NAN;
  w[9] = INFINITY;
  const rt::kernels::FilterArrays arrays{w.data(), 3, 4};
  rt::cuda::max_norm(&arrays, 1, 1, nullptr);
  CHECK(w[0] == 0);
  CHECK(w[4] == 3);  // a norm that is not a number is above nothing
  CHECK(w[8] == 0);
  CHECK(std::isnan(w[9]));
}
