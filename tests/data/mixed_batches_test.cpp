#include "regtorch/data/mixed_batches.hpp"

#include <vector>

#include "catch.hpp"
#include "regtorch/data/synthetic_images.hpp"
#include "regtorch/training/batch_range.hpp"
#include "regtorch/transforms/cutmix.hpp"
#include "regtorch/transforms/mixup.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace mixed_batches_test {

namespace {

auto augmentation() {
  return rt::transforms::Pipeline{rt::transforms::RandomCrop(28, /*padding=*/4),
                                  rt::transforms::RandomHorizontalFlip(),
                                  rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})};
}

/// Mixes as `Mix` does, and can do no more than be called.
template <class Mix>
struct CalledMix {
  Mix mix;
  rt::transforms::Mixed operator()(const torch::Tensor& images, const torch::Tensor& labels,
                                   rt::Key key, std::int64_t batch) const {
    return mix(images, labels, key, batch);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("MixedBatches: in the pipeline's pass, as after it", "[data]",
                   rt::transforms::MixUp, rt::transforms::CutMix) {
  // Batches of 61 make ragged blocks of threads' work and of the scratch.
  const rt::data::SyntheticImages images(rt::data::SyntheticImagesOptions(138).seed(1));
  const TestType mix(10, 0.7);
  STATIC_REQUIRE(rt::data::FoldableMix<TestType>);
  STATIC_REQUIRE_FALSE(rt::data::FoldableMix<CalledMix<TestType>>);
  const auto check = [&](const auto& transform, std::int64_t batch_size, torch::ScalarType dtype,
                         torch::MemoryFormat format) {
    const auto options = rt::data::BatchesOptions(batch_size)
                             .shuffle(true)
                             .seed(3)
                             .dtype(dtype)
                             .memory_format(format);
    rt::data::MixedBatches folded(rt::data::Batches(images, transform, options), mix);
    rt::data::MixedBatches called(rt::data::Batches(images, transform, options),
                                  CalledMix<TestType>{mix});
    for (int pass = 0; pass < 2; ++pass) {
      auto wanted = called.begin();
      for (auto& batch : folded) {
        REQUIRE(batch.images.scalar_type() == dtype);
        REQUIRE(batch.images.is_contiguous(format));
        REQUIRE(batch.images.equal(wanted->images));
        REQUIRE(batch.labels.equal(wanted->labels));
        REQUIRE(batch.indices.equal(wanted->indices));
        ++wanted;
      }
      REQUIRE(wanted == folded.end());
    }
  };
  for (const std::int64_t batch_size : {1, 2, 61, 138}) {
    for (const auto dtype : {torch::kFloat, torch::kBFloat16}) {
      for (const auto format :
           {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
        for (const int threads : {1, 2}) {
          const rt::testing::Threads scope(threads);
          check(augmentation(), batch_size, dtype, format);
        }
        const auto any_callable = [](const torch::Tensor& x, rt::Key, const torch::Tensor&) {
          return x.to(torch::kFloat) / 255;
        };
        check(any_callable, batch_size, dtype, format);
        const auto with_format = [](const torch::Tensor& x, rt::Key, const torch::Tensor&,
                                    const rt::transforms::ImageFormat& to) {
          return x.to(to.dtype).contiguous(to.memory_format);
        };
        check(with_format, batch_size, dtype, format);
      }
    }
  }
}

TEST_CASE("MixedBatches: each batch is mixed by its key and number, pass by pass", "[data]") {
  const rt::data::SyntheticImages images(rt::data::SyntheticImagesOptions(50).seed(1));
  const auto make = [&] {
    return rt::data::Batches(
        images,
        rt::transforms::Pipeline{rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})},
        rt::data::BatchesOptions(16).shuffle(true).seed(3));
  };
  const rt::transforms::MixUp mix(10, 0.7);
  auto plain = make();
  rt::data::MixedBatches mixed(make(), mix);
  STATIC_REQUIRE(rt::BatchRange<decltype(mixed)&>);
  CHECK(mixed.size() == 4);
  for (const std::uint64_t pass : {0u, 1u}) {
    auto wanted = plain.begin();
    std::int64_t number = 0;
    for (auto& batch : mixed) {
      const auto by_hand = mix(wanted->images, wanted->labels, {3, pass}, number);
      CHECK(batch.images.equal(by_hand.images));
      CHECK(batch.labels.equal(by_hand.targets));
      CHECK(batch.indices.equal(wanted->indices));
      ++wanted;
      ++number;
    }
    CHECK(number == 4);
  }
  mixed.batches().next_pass(0);
  auto again = make();
  auto first = again.begin();
  CHECK((*mixed.begin()).images.equal(mix(first->images, first->labels, {3, 0}, 0).images));
}

}  // namespace mixed_batches_test
