#include "regtorch/transforms/mixing_on_device.hpp"

#include <cstdint>
#include <optional>

#include "catch.hpp"
#include "regtorch/kernels/mixing.hpp"
#include "regtorch/transforms/mixing.hpp"

namespace {

using rt::kernels::ElementType;
using rt::kernels::ImageBox;
using rt::kernels::Mixture;

std::int64_t before(std::int64_t i, std::int64_t count, std::int64_t sample) {
  return i < sample ? i + count - sample : i - sample;
}

/// Kernels of a device, as loops over the CPU's.
void blend_by_loop(int, const void* in, void* out, std::int64_t count, std::int64_t sample,
                   ElementType type, rt::kernels::Blend blend) {
  REQUIRE(in != out);
  const auto run = [&]<class Value>(const Value* from, Value* to) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto other = from[before(i, count, sample)];
      to[i] = static_cast<Value>(blend(static_cast<float>(from[i]), static_cast<float>(other)));
    }
  };
  if (type == ElementType::kFloat32) {
    run(static_cast<const float*>(in), static_cast<float*>(out));
  } else if (type == ElementType::kFloat16) {
    run(static_cast<const c10::Half*>(in), static_cast<c10::Half*>(out));
  } else {
    REQUIRE(type == ElementType::kBFloat16);
    run(static_cast<const c10::BFloat16*>(in), static_cast<c10::BFloat16*>(out));
  }
}
void paste_by_loop(int, const void* in, void* out, std::int64_t count, std::int64_t sample,
                   int element_size, const rt::kernels::PlaneBox& box) {
  REQUIRE(in != out);
  const auto* from = static_cast<const std::uint8_t*>(in);
  auto* to = static_cast<std::uint8_t*>(out);
  count *= element_size;
  sample *= element_size;
  REQUIRE(sample % static_cast<std::int64_t>(box.plane) == 0);
  for (std::int64_t i = 0; i < count; i += static_cast<std::int64_t>(box.plane)) {
    rt::kernels::paste_box(from + i, from + before(i, count, sample), to + i, box);
  }
}

}  // namespace

TEST_CASE("mixing on a device: mixes as on the CPU, whatever the layout", "[transforms]") {
  const auto table = rt::kernels::device_kernels();
  rt::kernels::device_kernels().blend_neighbours = blend_by_loop;
  rt::kernels::device_kernels().paste_neighbours = paste_by_loop;
  torch::manual_seed(3);
  for (const auto type : {torch::kFloat, torch::kHalf, torch::kBFloat16, torch::kDouble}) {
    for (const std::int64_t size : {1, 2, 5}) {
      const auto images = torch::randn({size, 3, 9, 14}, torch::kDouble).to(type);
      for (const auto& laid :
           {images, images.contiguous(at::MemoryFormat::ChannelsLast),
            torch::cat({images, images}, 3).slice(3, 0, 14), images.slice(2, 1, 8, 2),
            images[0].unsqueeze(0).expand({size, 3, 9, 14}), images.select(1, 0)}) {
        const auto height = laid.size(-2);
        for (const Mixture& mixture :
             {Mixture{0.3, std::nullopt}, Mixture{1, std::nullopt}, Mixture{0, std::nullopt},
              Mixture{0.9, ImageBox{1, height - 1, 3, 10}}, Mixture{1, ImageBox{2, 2, 0, 14}},
              Mixture{0, ImageBox{0, height, 0, 14}}}) {
          if (type == torch::kDouble && !mixture.box.has_value()) {
            continue;  // which ATen does on a device
          }
          const auto wanted = rt::transforms::mix_images(laid, mixture);
          const auto got = rt::transforms::detail::mixed_on_device(laid, mixture);
          CHECK(got.scalar_type() == type);
          CHECK(got.is_contiguous(laid.suggest_memory_format()));
          const double bound = mixture.box.has_value() ? 0
                               : type == torch::kFloat ? 0x1p-22
                               : type == torch::kHalf  ? 0x1p-10
                                                       : 0x1p-7;
          CHECK(torch::allclose(got, wanted, bound, bound));
        }
      }
    }
  }
  rt::kernels::device_kernels() = table;
}

TEST_CASE("mixing on a device: not of tensors on the CPU", "[transforms]") {
  CHECK_FALSE(rt::transforms::detail::device_mixes(torch::ones({2, 3, 4, 4}), {0.5, {}}));
}
