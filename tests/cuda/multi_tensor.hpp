#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Lists of arrays for the tests of the multi-tensor kernels.
namespace regtorch::testing {

/// Numbers between guards that must not change, beginning `off` elements behind a multiple of 16
/// bytes.
class Floats {
 public:
  explicit Floats(std::int64_t size, int off = 0)
      : size_(static_cast<std::size_t>(size)), memory_(size_ + 12, kGuard) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data() + 1);
    first_ = 1 + (16 - address % 16) % 16 / sizeof(float) + static_cast<std::size_t>(off);
  }
  Floats(Floats&&) = default;

  float* data() { return memory_.data() + first_; }
  float& operator[](std::int64_t i) { return data()[i]; }
  std::int64_t size() const { return static_cast<std::int64_t>(size_); }

  bool guards_stand() const {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if ((i < first_ || i >= first_ + size_) && memory_[i] != kGuard) {
        return false;
      }
    }
    return true;
  }

 private:
  static constexpr float kGuard = 12345;

  std::size_t size_;
  std::size_t first_ = 0;
  std::vector<float> memory_;
};

/// One number of many, of the size of 1.
inline float number(std::int64_t i, std::int64_t of) {
  return static_cast<float>(std::sin(static_cast<double>(i) * 1.7 + static_cast<double>(of) * 0.9));
}

/// Sizes of some arrays: of one, of seven, and of so many that a launch does not hold them.
inline std::vector<std::vector<std::int64_t>> lists_of_sizes() {
  std::vector<std::int64_t> many;
  for (std::int64_t i = 0; i < 500; ++i) {
    many.push_back(
        std::vector<std::int64_t>{0, 1, 31, 32, 33, 7, 64}[static_cast<std::size_t>(i % 7)]);
  }
  many[250] = 4097;
  return {{1}, {50257}, {0}, {0, 1, 31, 32, 33, 1000, 50257}, many};
}

}  // namespace regtorch::testing
