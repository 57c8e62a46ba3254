#include "regtorch/cuda/mixing.cuh"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/mixing.hpp"
#include "simt/schedule.hpp"

namespace {

using namespace regtorch;

template <class Element>
std::vector<Element> numbers(std::int64_t count) {
  std::vector<Element> made(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i] = cuda::from_float<Element>(std::sin(static_cast<float>(i)));
  }
  return made;
}

/// What the CPU makes of two numbers.
template <class Element>
Element blended(Element own, Element before, kernels::Blend blend) {
  if constexpr (std::is_same_v<Element, __half>) {  // of which the CPU has no kernel
    return cuda::from_float<Element>(blend(cuda::to_float(own), cuda::to_float(before)));
  } else {
    using Value = std::conditional_t<std::is_same_v<Element, float>, float, std::uint16_t>;
    const auto own_value = std::bit_cast<Value>(own);
    const auto before_value = std::bit_cast<Value>(before);
    Value out;
    kernels::blend_arrays(&own_value, &before_value, &out, 1, blend, kernels::Isa::kBaseline);
    return std::bit_cast<Element>(out);
  }
}

/// Room for `count` elements from `off` elements after a multiple of 16 bytes, which nobody may
/// write around.
template <class Element>
class Room {
 public:
  Room(std::int64_t count, std::size_t off)
      : off_(off), count_(static_cast<std::size_t>(count)), packs_((off_ + count_) / kMany + 2) {
    std::memset(packs_.data(), 0x5A, packs_.size() * sizeof(cuda::Pack<Element>));
  }
  Element* data() { return packs_.data()->at + off_; }
  bool is_whole_around() {
    const auto* bytes = reinterpret_cast<const unsigned char*>(packs_.data());
    const std::size_t begin = off_ * sizeof(Element);
    const std::size_t end = begin + count_ * sizeof(Element);
    bool whole = true;
    for (std::size_t i = 0; i < packs_.size() * sizeof(cuda::Pack<Element>); ++i) {
      whole = whole && ((i >= begin && i < end) || bytes[i] == 0x5A);
    }
    return whole;
  }

 private:
  static constexpr std::size_t kMany = cuda::kPackSize<Element>;
  std::size_t off_;
  std::size_t count_;
  std::vector<cuda::Pack<Element>> packs_;
};

}  // namespace

TEMPLATE_TEST_CASE("cuda::blend_neighbours mixes each sample with the one before it", "[cuda]",
                   float, __half, __nv_bfloat16) {
  const std::int64_t sample = GENERATE(1, 3, 31, 32, 33, 3 * 5 * 7, 1000, 3072);
  const std::int64_t batch = GENERATE(0, 1, 2, 3, 33);
  const std::size_t off = GENERATE(0u, 1u);
  const std::int64_t count = batch * sample;
  const auto values = numbers<TestType>(count);
  Room<TestType> in(count, off);
  std::copy(values.begin(), values.end(), in.data());
  for (const double own : {0.0, 0.3, 0.5, 0.85, 1.0}) {
    const kernels::Blend blend(own);
    simt::for_each_schedule(
        [&] {
          Room<TestType> out(count, off == 1 && own > 0.5 ? 0 : off);
          cuda::blend_neighbours(in.data(), out.data(), count, sample, blend, nullptr);
          std::int64_t wrong = 0;
          for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t before = i < sample ? i + count - sample : i - sample;
            const TestType wanted = blended(values[static_cast<std::size_t>(i)],
                                            values[static_cast<std::size_t>(before)], blend);
            wrong += cuda::to_float(out.data()[i]) != cuda::to_float(wanted);
          }
          CHECK(wrong == 0);
          CHECK(out.is_whole_around());
        },
        2);
  }
}

TEST_CASE("cuda::blend_neighbours goes round its loop in large batches", "[cuda]") {
  const std::int64_t sample = 50257;
  const auto values = numbers<float>(7 * sample);
  std::vector<float> out(values.size());
  cuda::Neighbours<float> batch{values.data(), out.data(), 7 * sample, sample};
  cuda::launch("MixUp", cuda::blend_neighbours_kernel<float, false>, 3, 64, nullptr, batch,
               kernels::Blend(0.25));
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t before = (i + values.size() - sample) % values.size();
    wrong += out[i] != blended(values[i], values[before], kernels::Blend(0.25));
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("cuda::paste_neighbours pastes what paste_box pastes", "[cuda]", std::uint16_t,
                   std::uint32_t, std::uint64_t) {
  struct Size {
    std::int64_t height, width;
  };
  const auto [height, width] =
      GENERATE(Size{1, 1}, Size{5, 7}, Size{32, 32}, Size{33, 31}, Size{2, 40});
  const std::int64_t batch = GENERATE(1, 3, 33);
  const bool channels_last = GENERATE(false, true);
  const std::size_t off = GENERATE(0u, 1u);
  const std::int64_t sample = 3 * height * width;
  const std::int64_t count = batch * sample;
  Room<TestType> in(count, off);
  for (std::int64_t i = 0; i < count; ++i) {
    in.data()[i] = static_cast<TestType>(i * 2654435761 >> 7);
  }
  const std::int64_t pixel = static_cast<std::int64_t>(sizeof(TestType)) * (channels_last ? 3 : 1);
  const kernels::ImageBox whole{0, height, 0, width};
  const kernels::ImageBox none{height / 2, height / 2, 0, width};
  const kernels::ImageBox part{height / 4, height, width / 3, (width + 2) / 2};
  const kernels::ImageBox rows{height / 2, height, 0, width};
  for (const kernels::ImageBox& box : {whole, none, part, rows}) {
    const auto plane_box = kernels::PlaneBox::make(box, height, width, pixel);
    std::vector<TestType> wanted(static_cast<std::size_t>(count));
    const auto bytes = [](const TestType* of) { return reinterpret_cast<const std::uint8_t*>(of); };
    const auto plane = static_cast<std::int64_t>(plane_box.plane / sizeof(TestType));
    for (std::int64_t i = 0; i < count; i += plane) {
      const std::int64_t before = i < sample ? i + count - sample : i - sample;
      kernels::paste_box(bytes(in.data() + i), bytes(in.data() + before),
                         reinterpret_cast<std::uint8_t*>(wanted.data() + i), plane_box);
    }
    simt::for_each_schedule(
        [&] {
          Room<TestType> out(count, off);
          cuda::paste_neighbours(in.data(), out.data(), count, sample, plane_box, nullptr);
          CHECK(std::equal(wanted.begin(), wanted.end(), out.data()));
          CHECK(out.is_whole_around());
        },
        2);
  }
}
