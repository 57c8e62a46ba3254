#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include <ATen/CPUGeneratorImpl.h>
#include <c10/util/Exception.h>

#include "regtorch/kernels/philox.hpp"

namespace regtorch {

/// Who draws: each use of a seed reads blocks of its own, so that a split, a shuffle and an
/// augmentation may share one seed. The low 24 bits are left to the user of the stream.
enum class Purpose : std::uint32_t {
  kSplit = 1u << 24,
  kShuffle = 2u << 24,
  kSyntheticImages = 3u << 24,
  kPipeline = 4u << 24,
  kDisturbLabel = 5u << 24,
  kMixing = 6u << 24,
  kDisturbValue = 7u << 24,
};

/// What all randomness of a pass over the data follows from: with the same key, the same happens to
/// sample i, whatever the batch size, the number of threads or the device.
struct Key {
  std::uint64_t seed = 0;  ///< the experiment's
  std::uint64_t pass = 0;  ///< which pass over the data: 0, 1, 2, ...; below 2^32

  /// The Philox stream that `purpose` reads under this key.
  kernels::RandomStream stream(Purpose purpose) const {
    TORCH_CHECK_VALUE(pass < (std::uint64_t{1} << 32), "Key: wanted a pass below 2^32, got ", pass);
    return {seed, static_cast<std::uint32_t>(pass), static_cast<std::uint32_t>(purpose)};
  }
};

/// The seed given, or else one drawn from the default CPU generator: `torch::manual_seed` governs
/// all that nobody seeded.
inline std::uint64_t seed_or_draw(std::optional<std::uint64_t> seed) {
  if (seed.has_value()) {
    return *seed;
  }
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

}  // namespace regtorch
