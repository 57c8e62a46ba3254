#include "regtorch/data/mixed_batches.hpp"

#include <vector>

#include "catch.hpp"
#include "regtorch/data/synthetic_images.hpp"
#include "regtorch/training/batch_range.hpp"
#include "regtorch/transforms/cutmix.hpp"
#include "regtorch/transforms/mixup.hpp"
#include "regtorch/transforms/normalize.hpp"

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

TEST_CASE("MixedBatches: CutMix too", "[data]") {
  const rt::data::SyntheticImages images(rt::data::SyntheticImagesOptions(20).seed(1));
  rt::data::MixedBatches mixed(rt::data::Batches(images,
                                                 rt::transforms::Pipeline{rt::transforms::Normalize(
                                                     {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})},
                                                 rt::data::BatchesOptions(20).seed(3)),
                               rt::transforms::CutMix(10));
  for (auto& batch : mixed) {
    CHECK(batch.labels.sizes() == c10::IntArrayRef({20, 10}));
  }
}
