#include "regtorch/kernels/max_pool.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/float_formats.hpp"
#include "regtorch/kernels/philox.hpp"

namespace max_pool_test {

using namespace regtorch::kernels;

namespace {

constexpr std::uint8_t kUntouched = 99;

/// Small whole numbers, so that many are equal; one in 16 is nan.
template <class Format>
std::vector<typename Format::Stored> image_of(const PoolSize& in) {
  const RandomStream random{7, 0, 0};
  std::vector<typename Format::Stored> image(
      static_cast<std::size_t>(in.rows * in.columns * in.channels));
  for (std::size_t i = 0; i < image.size(); ++i) {
    const auto words = random.block(i);
    image[i] = Format::write(words[0] % 16 == 0 ? std::numeric_limits<float>::quiet_NaN()
                                                : static_cast<float>(words[1] % 5) - 3);
  }
  return image;
}

/// Compares with the definition, in sizes around what the kernel takes at a time.
template <class Format>
void check_pool(const PoolSize& in, Isa isa) {
  using T = typename Format::Stored;
  const auto image = image_of<Format>(in);
  const std::int64_t out_rows = in.rows / 2;
  const std::int64_t out_columns = in.columns / 2;
  const auto row_size = static_cast<std::size_t>(out_columns * in.channels);
  const auto size = static_cast<std::size_t>(out_rows) * row_size;
  // One element more each, which nothing may be written to.
  std::vector<T> got(size + 1, T(kUntouched));
  std::vector<std::uint8_t> which(size + 1, kUntouched);
  std::vector<T> gradient(image.size() + 1, T(kUntouched));
  std::vector<T> incoming(size);
  for (std::size_t i = 0; i < size; ++i) {
    incoming[i] = Format::write(static_cast<float>(i % 100 + 1));
  }
  for (std::int64_t y = 0; y < out_rows; ++y) {
    const auto at = static_cast<std::size_t>(y) * row_size;
    max_pool_row<Format>(image.data(), in, y, got.data() + at, which.data() + at, isa);
    max_pool_row_gradient(incoming.data() + at, which.data() + at, in, y, gradient.data(), isa);
  }
  CHECK(got.back() == T(kUntouched));
  CHECK(which.back() == kUntouched);
  CHECK(gradient.back() == T(kUntouched));

  const auto index = [&](std::int64_t y, std::int64_t x, std::int64_t c) {
    return static_cast<std::size_t>((y * in.columns + x) * in.channels + c);
  };
  std::vector<T> wanted_gradient(image.size(), T(0));
  std::size_t wrong = 0;
  for (std::int64_t y = 0; y < out_rows; ++y) {
    for (std::int64_t x = 0; x < out_columns; ++x) {
      for (std::int64_t c = 0; c < in.channels; ++c) {
        // The first of the greatest, or the last nan.
        int place = 0;
        float best = Format::read(image[index(2 * y, 2 * x, c)]);
        for (int k = 1; k < 4; ++k) {
          const float number = Format::read(image[index(2 * y + k / 2, 2 * x + k % 2, c)]);
          if (number > best || std::isnan(number)) {
            best = number;
            place = k;
          }
        }
        const std::size_t out =
            static_cast<std::size_t>(y) * row_size + static_cast<std::size_t>(x * in.channels + c);
        const float pooled = Format::read(got[out]);
        wrong += which[out] != place;
        wrong += std::isnan(best) ? !std::isnan(pooled) : pooled != best;
        wanted_gradient[index(2 * y + place / 2, 2 * x + place % 2, c)] = incoming[out];
      }
    }
  }
  CHECK(wrong == 0);
  gradient.pop_back();
  CHECK(gradient == wanted_gradient);
}

}  // namespace

TEST_CASE("max_pool_row takes the largest of four, and its gradient goes where that was",
          "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    for (const std::int64_t channels : {1, 2, 15, 16, 17, 31, 32, 33, 64, 100}) {
      for (const auto& [rows, columns] : std::vector<std::pair<std::int64_t, std::int64_t>>{
               {2, 2}, {2, 3}, {3, 2}, {3, 3}, {4, 7}, {9, 6}}) {
        INFO(to_string(isa) << ": " << rows << " x " << columns << " x " << channels);
        const PoolSize in{rows, columns, channels};
        check_pool<Float32Format>(in, isa);
        check_pool<BFloat16Format>(in, isa);
        check_pool<Float16Format>(in, isa);
      }
    }
  }
}

}  // namespace max_pool_test
