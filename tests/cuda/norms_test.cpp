#include "regtorch/cuda/norms.cuh"

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

/// Gradients to be clipped in place.
struct Gradients {
  /// @param off  elements by which they lie behind a multiple of 16 bytes; -1: each by another
  explicit Gradients(const std::vector<std::int64_t>& sizes, int off = -1) {
    std::int64_t chunks = 0;
    for (const auto size : sizes) {
      const auto which = static_cast<int>(all.size());
      all.emplace_back(size, off < 0 ? which % 4 : off);
      for (std::int64_t i = 0; i < size; ++i) {
        all.back()[i] = number(i, which);
      }
      chunks += rt::kernels::device_chunks(size);
    }
    scratch.resize(static_cast<std::size_t>(chunks + 1));
  }
  double norm_now() {
    double squares = 0;
    for (auto& x : all) {
      for (std::int64_t i = 0; i < x.size(); ++i) {
        squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      }
    }
    return std::sqrt(squares);
  }
  void clip(double max_norm) {
    std::vector<rt::kernels::WeightArrays> arrays;
    for (auto& x : all) {
      arrays.push_back({x.data(), x.data(), x.size()});
    }
    norm = factor = -1;
    scratch.back().squares = -7;  // which nobody is to touch
    rt::cuda::clip_norm(arrays.data(), static_cast<std::int64_t>(arrays.size()), max_norm,
                        scratch.data(), &norm, &factor, nullptr);
    CHECK(scratch.back().squares == -7);
    bool guards_stand = true;
    for (const auto& x : all) {
      guards_stand = guards_stand && x.guards_stand();
    }
    CHECK(guards_stand);
  }

  std::vector<Floats> all;
  std::vector<rt::kernels::Sums> scratch;
  float norm = 0;
  float factor = 0;
};

}  // namespace

TEST_CASE("cuda::clip_norm scales lists of gradients to a norm", "[cuda]") {
  for (const auto& sizes : rt::testing::lists_of_sizes()) {
    Gradients x(sizes);
    Gradients before(sizes);
    const double norm = before.norm_now();
    const double limit = norm == 0 ? 1 : norm / 3;
    x.clip(limit);
    CHECK(static_cast<double>(x.norm) == Approx(norm).epsilon(1e-7));
    const auto factor = static_cast<float>(limit / (static_cast<double>(x.norm) + 1e-6));
    CHECK(x.factor == factor);
    std::int64_t wrong = 0;
    for (std::size_t k = 0; k < x.all.size(); ++k) {
      for (std::int64_t i = 0; i < x.all[k].size(); ++i) {
        wrong += x.all[k][i] != before.all[k][i] * (norm == 0 ? 1 : factor);
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("cuda::clip_norm leaves gradients within the limit", "[cuda]") {
  Gradients x({31, 0, 1000});
  Gradients before({31, 0, 1000});
  x.clip(before.norm_now() * 1.01);
  CHECK(x.factor >= 1);
  for (std::size_t k = 0; k < x.all.size(); ++k) {
    for (std::int64_t i = 0; i < x.all[k].size(); ++i) {
      REQUIRE(x.all[k][i] == before.all[k][i]);
    }
  }
}

TEST_CASE("cuda::clip_norm has the same bits each time and wherever gradients lie", "[cuda]") {
  const std::vector<std::int64_t> sizes{50257, 33, 4096, 0, 8191};
  Gradients first(sizes, 0);
  first.clip(3);
  for (const int off : {0, 1, 2, 3}) {
    rt::simt::for_each_schedule(
        [&] {
          Gradients x(sizes, off);
          x.clip(3);
          std::int64_t wrong = x.norm != first.norm;
          for (std::size_t i = 0; i + 1 < x.scratch.size(); ++i) {
            wrong += x.scratch[i].squares != first.scratch[i].squares;
          }
          CHECK(wrong == 0);
        },
        3);
  }
}

TEST_CASE("cuda::clip_norm of gradients that are 0, huge, tiny or not finite", "[cuda]") {
  const std::vector<std::int64_t> sizes{33, 1000};
  Gradients zero(sizes);
  Gradients huge(sizes);
  Gradients tiny(sizes);
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    for (std::int64_t i = 0; i < sizes[k]; ++i) {
      zero.all[k][i] = 0;
      huge.all[k][i] = 1e30F;  // whose square no float32 holds
      tiny.all[k][i] = 1e-30F;
    }
  }
  zero.clip(1);
  CHECK(zero.norm == 0);
  CHECK(zero.norm_now() == 0);
  huge.clip(1);
  CHECK(static_cast<double>(huge.norm) == Approx(1e30 * std::sqrt(1033)));
  CHECK(huge.norm_now() == Approx(1));
  tiny.clip(1);
  CHECK(static_cast<double>(tiny.norm) == Approx(1e-30 * std::sqrt(1033)));
  CHECK(tiny.all[1][999] == 1e-30F);

  // As ATen's composition on a device, nobody waiting to look: what can't be scaled shows.
  Gradients infinite(sizes);
  infinite.all[0][7] = -INFINITY;
  infinite.clip(1);
  CHECK(infinite.norm == INFINITY);
  CHECK(infinite.factor == 0);
  CHECK(std::isnan(infinite.all[0][7]));
  CHECK(infinite.all[1][999] == 0);
  Gradients unknown(sizes);
  unknown.all[1][500] = NAN;
  unknown.clip(1);
  CHECK(std::isnan(unknown.norm));
  CHECK(std::isnan(unknown.all[0][0]));
}
