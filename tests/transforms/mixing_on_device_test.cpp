// Mixing by the device kernels, which run on the emulator here and take CPU tensors for a device's.

#include "regtorch/transforms/mixing_on_device.hpp"

#include <cstdint>
#include <optional>

#include "catch.hpp"
#include "regtorch/transforms/mixing.hpp"
#include "simt/emulated_kernels.hpp"

namespace mixing_on_device_test {

namespace {

using rt::kernels::ImageBox;
using rt::kernels::Mixture;

}  // namespace

TEST_CASE("mixing on a device: mixes as on the CPU, whatever the layout", "[transforms]") {
  const rt::testing::EmulatedKernels emulated;
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
}

TEST_CASE("mixing on a device: not of tensors on the CPU", "[transforms]") {
  const rt::testing::EmulatedKernels emulated;
  CHECK_FALSE(rt::transforms::detail::device_mixes(torch::ones({2, 3, 4, 4}), {0.5, {}}));
}

}  // namespace mixing_on_device_test
