// The pipeline by the device kernel, which runs on the emulator here and takes CPU tensors for a
// device's.

#include "regtorch/transforms/pipeline_on_device.hpp"

#include <cstdint>
#include <tuple>
#include <utility>

#include "catch.hpp"
#include "images.hpp"
#include "regtorch/transforms/color_jitter.hpp"
#include "regtorch/transforms/cutout.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_erasing.hpp"
#include "regtorch/transforms/random_grayscale.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"
#include "simt/emulated_kernels.hpp"

namespace pipeline_on_device_test {

using namespace rt::transforms;
using regtorch::testing::random_images;

namespace {

/// Compares what records make with what the pipeline makes on the CPU: the same, or with
/// arithmetic, which may be fused in the one and not in the other, about the same.
template <class... Transforms>
void check_records(bool arithmetic, const Transforms&... transforms) {
  const regtorch::testing::EmulatedKernels emulated;
  const Pipeline pipeline{transforms...};
  const std::tuple all(transforms...);
  const rt::Key key{7, 2};
  for (const auto& [height, width] : {std::pair{1, 1}, {5, 7}, {32, 32}, {33, 31}}) {
    for (const std::int64_t count : {0, 3, 70}) {
      const rt::kernels::ImageRecords<Transforms...> records(all, {height, width});
      REQUIRE(records.possible());
      const auto images = random_images(count, height, width);
      const auto ids = 1000 - torch::arange(count);
      for (const auto type : {torch::kFloat, torch::kBFloat16}) {
        for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
          const auto wanted = pipeline(images, key, ids, {type, layout});
          const auto got = rt::transforms::detail::transformed_on_device(
              records, images, ids, key.stream(rt::Purpose::kPipeline), type, layout);
          CHECK(got.scalar_type() == type);
          CHECK(got.sizes() == wanted.sizes());
          CHECK(got.is_contiguous(layout));
          // A few roundings of numbers up to 3, which Normalize makes 5 times as large.
          const double bound = type == torch::kFloat ? 0x1p-20 : 0x1p-7;
          CHECK((arithmetic ? torch::allclose(got, wanted, bound, bound) : got.equal(wanted)));
        }
      }
      const auto strided = images.contiguous(at::MemoryFormat::ChannelsLast);
      CHECK(rt::transforms::detail::transformed_on_device(
                records, strided, ids, key.stream(rt::Purpose::kPipeline), torch::kFloat,
                at::MemoryFormat::Contiguous)
                .equal(rt::transforms::detail::transformed_on_device(
                    records, images, ids, key.stream(rt::Purpose::kPipeline), torch::kFloat,
                    at::MemoryFormat::Contiguous)));
    }
  }
}

/// A transform of somebody who knows nothing of devices.
struct Solarize {
  void pixel(float& red, float&, float&) const { red = red < 0.5f ? red : 1.0f - red; }
};

/// Each pixel four times: a geometric transform needs nothing more to run on a device.
struct Enlarge {
  int by = 2;
  struct Draw {};
  Draw draw(rt::kernels::RandomWords&, rt::kernels::ImageSize) const { return {}; }
  rt::kernels::ImageSize output_size(rt::kernels::ImageSize in) const {
    return {by * in.height, by * in.width};
  }
  int source_row(const Draw&, int y) const { return y / by; }
  int source_column(const Draw&, int x) const { return x / by; }
};

const Normalize kNormalize({0.4, 0.5, 0.6}, {0.2, 0.25, 0.3});
const RandomErasing kErase(RandomErasingOptions().p(0.7).fill({1, 2, 3}));
const RandomErasing kNoise(RandomErasingOptions().p(0.7).noise(true));

}  // namespace

TEST_CASE("records for a device: each transform is what it is on the CPU", "[transforms]") {
  check_records(false);
  check_records(false, RandomCrop(6, 3));
  check_records(false, RandomCrop(1), RandomCrop(5, 2));
  check_records(false, RandomHorizontalFlip());
  check_records(false, Enlarge());
  check_records(true, kNormalize);
  check_records(true, RandomGrayscale(0.5));
  check_records(false, Cutout(4, {1, 2, 3}));
  check_records(false, kErase);
  check_records(false, kNoise);
}

TEST_CASE("records for a device: transforms together, in several orders", "[transforms]") {
  check_records(true, RandomCrop(6, 3), RandomHorizontalFlip(), kNormalize, RandomGrayscale(0.5),
                Cutout(3), kErase, kNoise);
  check_records(true, kNoise, RandomCrop(6, 3), kErase, RandomHorizontalFlip(), Cutout(3),
                RandomGrayscale(0.5), kNormalize, RandomCrop(7, 2), Enlarge());
  check_records(true, RandomGrayscale(0.5), RandomHorizontalFlip(), Cutout(3), RandomCrop(5, 2),
                kNormalize, RandomCrop(8, 4), RandomHorizontalFlip(), kErase);
}

TEST_CASE("records for a device: a mirrored crop after a box shows parts of it twice",
          "[transforms]") {
  const regtorch::testing::EmulatedKernels emulated;
  const std::tuple all(Cutout(5, {2, 2, 2}), RandomCrop(32, 16, PaddingMode::kReflect));
  const rt::kernels::ImageRecords records(all, {32, 32});
  const auto images = random_images(20, 32, 32);
  CHECK(rt::transforms::detail::transformed_on_device(records, images, torch::arange(20),
                                                      rt::Key{7}.stream(rt::Purpose::kPipeline),
                                                      torch::kFloat, at::MemoryFormat::Contiguous)
            .equal(std::make_from_tuple<Pipeline<Cutout, RandomCrop>>(all)(images, 7)));
}

TEST_CASE("Pipeline: which ones run on a device", "[transforms]") {
  const c10::Device cuda(c10::kCUDA, 0);
  using Usual = Pipeline<RandomCrop, RandomHorizontalFlip, Normalize, Cutout, RandomErasing,
                         RandomGrayscale, Enlarge>;
  const auto before = rt::kernels::device_kernels();
  rt::kernels::device_kernels() = {};
  CHECK_FALSE(Usual::runs_on(cuda));
  {
    const regtorch::testing::EmulatedKernels emulated;
    CHECK(Usual::runs_on(cuda));
    CHECK(Pipeline<>::runs_on(cuda));
    CHECK_FALSE(Usual::runs_on(c10::kCPU));
    CHECK_FALSE(Pipeline<RandomCrop, ColorJitter>::runs_on(cuda));
    CHECK_FALSE(Pipeline<Solarize, Normalize>::runs_on(cuda));
  }
  rt::kernels::device_kernels() = before;

  using Large = rt::kernels::ImageRecords<Enlarge, RandomCrop>;
  const std::tuple fits(Enlarge{2}, RandomCrop(8));
  CHECK(Large(fits, {16383, 2000}).possible());
  CHECK_FALSE(Large(fits, {16384, 2000}).possible());
}

}  // namespace pipeline_on_device_test
