#include "regtorch/data/batches.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "fixtures.hpp"
#include "regtorch/data/random_split.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"

namespace batches_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::random_dataset;
using regtorch::testing::Threads;
using rt::data::Batch;
using rt::data::Batches;
using rt::data::BatchesOptions;
using rt::data::Subset;

namespace {

const rt::transforms::Pipeline kAugment{
    rt::transforms::RandomCrop(32, 4), rt::transforms::RandomHorizontalFlip(),
    rt::transforms::Normalize({0.4, 0.5, 0.6}, {0.2, 0.25, 0.3})};

torch::Tensor leave(const torch::Tensor& images, rt::Key, const torch::Tensor&) { return images; }

torch::Tensor sorted(const torch::Tensor& indices) { return std::get<0>(indices.sort()); }

/// All of a pass: `images` and `labels` in the dataset's order, `order` as they came.
struct Pass {
  torch::Tensor images;
  torch::Tensor labels;
  torch::Tensor order;
  std::vector<std::int64_t> sizes;
};

Pass run_pass(Batches& batches) {
  std::vector<torch::Tensor> images;
  std::vector<torch::Tensor> labels;
  std::vector<torch::Tensor> indices;
  Pass pass;
  for (auto& batch : batches) {
    images.push_back(batch.images);
    labels.push_back(batch.labels);
    indices.push_back(batch.indices);
    pass.sizes.push_back(batch.images.size(0));
  }
  pass.order = torch::cat(indices);
  const auto place = pass.order.argsort();
  pass.images = torch::cat(images).index_select(0, place);
  pass.labels = torch::cat(labels).index_select(0, place);
  return pass;
}

/// Whether every sample is in the pass once, with its image, unchanged, and its label.
void check_whole(const Pass& pass, const Subset& data) {
  const auto indices = sorted(data.indices());
  const auto& all = data.dataset();
  CHECK(sorted(pass.order).equal(indices));
  CHECK(pass.images.equal(all.images().index_select(0, indices).to(torch::kFloat)));
  CHECK(pass.labels.equal(all.targets().index_select(0, indices)));
}

}  // namespace

TEST_CASE("a pass gives every sample once, shuffled or not", "[data]") {
  constexpr std::int64_t kBatchSizes[] = {1,   7,    20,
                                          100, 1000, std::numeric_limits<std::int64_t>::max()};
  const auto data = random_dataset(100, 4);
  const auto part = Subset(data, torch::arange(97, 0, -3));
  for (const Subset& subset : {Subset(data), part}) {
    const auto samples = subset.indices().size(0);
    for (const bool shuffle : {false, true}) {
      for (const std::int64_t batch_size : kBatchSizes) {
        CAPTURE(samples, shuffle, batch_size);
        Batches batches(subset, leave, BatchesOptions(batch_size).shuffle(shuffle).seed(1));
        const auto pass = run_pass(batches);
        check_whole(pass, subset);
        CHECK(pass.order.equal(subset.indices()) == !shuffle);

        std::vector<std::int64_t> sizes(static_cast<std::size_t>(samples / batch_size), batch_size);
        if (samples % batch_size != 0) {
          sizes.push_back(samples % batch_size);
        }
        CHECK(pass.sizes == sizes);
        CHECK(batches.size() == static_cast<std::int64_t>(sizes.size()));
      }
    }
  }
}

TEST_CASE("drop_last leaves out the smaller last batch alone", "[data]") {
  const auto data = random_dataset(100, 4);
  for (const auto& [batch_size, whole] : {std::pair{7, 14}, {20, 5}, {100, 1}}) {
    const auto options = BatchesOptions(batch_size).shuffle(true).seed(1);
    Batches all(data, leave, options);
    Batches dropping(data, leave, BatchesOptions(options).drop_last(true));
    const auto pass = run_pass(dropping);
    CHECK(dropping.size() == whole);
    CHECK(pass.sizes == std::vector<std::int64_t>(static_cast<std::size_t>(whole), batch_size));
    CHECK(pass.order.equal(run_pass(all).order.slice(0, 0, batch_size * whole)));
  }
}

TEST_CASE("a pass is the same for any batch size and number of threads", "[data]") {
  const auto data = random_dataset(100);
  std::vector<torch::Tensor> orders(3);
  for (const std::int64_t batch_size : {100, 1, 7, 32}) {
    for (const int threads : {1, 2}) {
      const Threads guard(threads);
      Batches batches(data, kAugment, BatchesOptions(batch_size).shuffle(true).seed(5));
      for (std::uint64_t p = 0; p < 3; ++p) {
        CAPTURE(batch_size, threads, p);
        const auto pass = run_pass(batches);
        CHECK(pass.images.equal(kAugment(data.images(), rt::Key{5, p}, torch::arange(100))));
        if (!orders[p].defined()) {
          orders[p] = pass.order;
        }
        CHECK(pass.order.equal(orders[p]));
      }
    }
  }
}

TEST_CASE("what happens to a sample is the same in a part as in the whole", "[data]") {
  const auto data = random_dataset(100);
  const auto part = rt::data::random_split(data, {30, 70}, 2)[0];
  Batches whole(data, kAugment, BatchesOptions(32).seed(5));
  Batches batches(part, kAugment, BatchesOptions(32).shuffle(true).seed(5));
  CHECK(run_pass(batches).images.equal(
      run_pass(whole).images.index_select(0, sorted(part.indices()))));
}

TEST_CASE("each pass has an order and an augmentation of its own", "[data]") {
  const auto data = random_dataset(100);
  Batches batches(data, kAugment, BatchesOptions(32).shuffle(true).seed(5));
  const auto first = run_pass(batches);
  const auto second = run_pass(batches);
  CHECK_FALSE(second.order.equal(first.order));
  // One sample in 162 is cut and mirrored as before; 10 of 100 would happen once in 10^9 times.
  const auto same = (second.images == first.images).flatten(1).all(1);
  CHECK(same.sum().item<int>() < 10);

  Batches other_seed(data, kAugment, BatchesOptions(32).shuffle(true).seed(6));
  const auto other = run_pass(other_seed);
  CHECK_FALSE(other.order.equal(first.order));
  CHECK((other.images == first.images).flatten(1).all(1).sum().item<int>() < 10);
  // A split under the same seed has an order of its own.
  CHECK_FALSE(rt::data::random_split(data, {100}, 5)[0].indices().equal(first.order));

  Batches in_order(data, kAugment, BatchesOptions(32).seed(5));
  CHECK(run_pass(in_order).images.equal(first.images));
  CHECK(run_pass(in_order).images.equal(second.images));
}

TEST_CASE("a pass left early does not harm the next", "[data]") {
  const auto data = random_dataset(100, 4);
  for (const bool shuffle : {false, true}) {
    for (const std::int64_t batch_size : {1, 7, 20, 1000}) {
      for (const bool drop_last : {false, batch_size <= 100}) {
        const auto options =
            BatchesOptions(batch_size).shuffle(shuffle).drop_last(drop_last).seed(5);
        Batches undisturbed(data, leave, options);
        run_pass(undisturbed);
        const auto wanted = run_pass(undisturbed);
        for (const std::int64_t batches_taken : {std::int64_t{1}, (undisturbed.size() + 1) / 2}) {
          CAPTURE(shuffle, batch_size, drop_last, batches_taken);
          Batches batches(data, leave, options);
          std::int64_t taken = 0;
          for (auto& batch : batches) {
            CHECK(batch.indices.size(0) == std::min<std::int64_t>(batch_size, 100));
            if (++taken == batches_taken) {
              break;
            }
          }
          CHECK(batches.next_pass() == 1);
          const auto pass = run_pass(batches);
          CHECK(pass.order.equal(wanted.order));
          if (!drop_last) {
            check_whole(pass, data);
          }
        }
      }
    }
  }
}

TEST_CASE("next_pass repeats a pass, or goes on from one", "[data]") {
  const auto data = random_dataset(50);
  Batches batches(data, kAugment, BatchesOptions(7).shuffle(true).seed(5));
  CHECK(batches.next_pass() == 0);
  run_pass(batches);
  const auto second = run_pass(batches);
  CHECK(batches.next_pass() == 2);
  batches.next_pass(1);
  const auto repeated = run_pass(batches);
  CHECK(repeated.order.equal(second.order));
  CHECK(repeated.images.equal(second.images));

  Batches resumed(data, kAugment, BatchesOptions(7).shuffle(true).seed(5));
  resumed.next_pass(1);
  CHECK(run_pass(resumed).images.equal(second.images));

  batches.next_pass(std::uint64_t{1} << 32);
  CHECK(contains(error_of([&] { batches.begin(); }), "wanted a pass below 2^32, got 4294967296"));
}

TEST_CASE("batches come in the type, the layout and on the device asked for", "[data]") {
  const auto data = random_dataset(20);
  const auto turned = [](const torch::Tensor& images, rt::Key, const torch::Tensor&) {
    return (images.to(torch::kFloat) / 7).transpose(2, 3);  // neither layout
  };
  const auto check = [&](auto transform, const torch::Tensor& wanted) {
    for (const auto dtype : {torch::kFloat, torch::kBFloat16}) {
      for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        CAPTURE(dtype, layout);
        Batches batches(data, transform,
                        BatchesOptions(7).seed(5).dtype(dtype).memory_format(layout));
        for (auto& batch : batches) {
          CHECK(batch.images.scalar_type() == dtype);
          CHECK(batch.images.is_contiguous(layout));
          CHECK(batch.images.equal(wanted.index_select(0, batch.indices).to(dtype)));
          CHECK(batch.labels.scalar_type() == torch::kLong);
        }
      }
    }
  };
  check(kAugment, kAugment(data.images(), 5));
  check(turned, turned(data.images(), {}, {}));
  check(leave, data.images());

  Batches elsewhere(data, kAugment, BatchesOptions(7).device(torch::kMeta));
  for (auto& batch : elsewhere) {
    CHECK(batch.images.is_meta());
    CHECK(batch.labels.is_meta());
    CHECK(batch.indices.is_cpu());
  }
}

TEST_CASE("a callable gets raw images, the key and the samples' numbers", "[data]") {
  const auto data = random_dataset(20, 4);
  const Subset part(data, torch::tensor({19, 3, 5, 8, 2}));
  std::vector<std::uint64_t> passes;
  const auto look = [&](const torch::Tensor& images, rt::Key key, const torch::Tensor& indices) {
    CHECK(key.seed == 77);
    passes.push_back(key.pass);
    CHECK(indices.scalar_type() == torch::kLong);
    CHECK(images.scalar_type() == torch::kByte);
    CHECK(images.equal(data.images().index_select(0, indices)));
    return images;
  };
  Batches batches(part, look, BatchesOptions(3).shuffle(true).seed(77));
  check_whole(run_pass(batches), part);
  batches.next_pass(9);
  check_whole(run_pass(batches), part);
  CHECK(passes == std::vector<std::uint64_t>{0, 0, 9, 9});

  // One with a state of its own, called in the order of the batches.
  std::int64_t calls = 0;
  Batches counting(
      data,
      [count = 0, &calls](const torch::Tensor& images, rt::Key, const torch::Tensor&) mutable {
        calls = ++count;
        return images;
      },
      BatchesOptions(6));
  run_pass(counting);
  CHECK(calls == 4);
}

TEST_CASE("without a seed Batches follows torch::manual_seed", "[data]") {
  const auto data = random_dataset(50);
  const auto unseeded = [&] {
    Batches batches(data, kAugment, BatchesOptions(16).shuffle(true));
    return run_pass(batches);
  };
  torch::manual_seed(3);
  const auto first = unseeded();
  const auto second = unseeded();
  CHECK_FALSE(second.order.equal(first.order));
  CHECK_FALSE(second.images.equal(first.images));
  torch::manual_seed(3);
  const auto again = unseeded();
  CHECK(again.order.equal(first.order));
  CHECK(again.images.equal(first.images));
}

TEST_CASE("Batches tells what it is made of", "[data]") {
  const auto data = random_dataset(5, 4);
  const Batches batches(Subset(data, torch::tensor({4, 2})), leave,
                        BatchesOptions(2).shuffle(true));
  CHECK(batches.dataset().indices().equal(torch::tensor({4, 2})));
  CHECK(batches.options().batch_size() == 2);
  CHECK(batches.options().shuffle());
}

TEST_CASE("Batches says what it wanted and what came", "[data]") {
  const auto data = random_dataset(10, 4);
  const auto message = [](const Subset& subset, std::int64_t batch_size) {
    return error_of([&] { Batches(subset, leave, batch_size); });
  };
  CHECK(message(data, 1).empty());
  CHECK(contains(message(data, 0), "Batches: wanted a batch size of at least 1, got 0"));
  CHECK(contains(message(data, -3), "Batches: wanted a batch size of at least 1, got -3"));
  CHECK(contains(message(random_dataset(0, 4), 1), "wanted a dataset with examples, got an empty"));
  CHECK_THROWS_AS(Batches(data, leave, 0), c10::ValueError);

  const auto bad_result = [&](const torch::Tensor& result) {
    Batches batches(
        data, [&](const torch::Tensor&, rt::Key, const torch::Tensor&) { return result; }, 4);
    return error_of([&] { batches.begin(); });
  };
  CHECK(bad_result(torch::zeros({4, 3, 4, 4})).empty());
  CHECK(contains(bad_result(torch::zeros({3, 3, 4, 4})),
                 "Batches: wanted 4 images from the transform, got Float [3, 3, 4, 4]"));
  CHECK(contains(bad_result(torch::zeros({5, 3, 4, 4})), "wanted 4 images from the transform"));
  CHECK(contains(bad_result(torch::tensor(1.0f)), "wanted 4 images from the transform"));
  CHECK(contains(bad_result({}), "wanted 4 images from the transform, got an undefined tensor"));

  Batches half(data, kAugment, BatchesOptions(4).dtype(torch::kHalf));
  CHECK(contains(error_of([&] { half.begin(); }), "type Float or BFloat16, got Half"));
}

TEST_CASE("what is written into a batch does not reach the dataset", "[data]") {
  const auto data = random_dataset(20);
  Batches batches(data, rt::transforms::Pipeline<>(), BatchesOptions(8));
  for (int pass = 0; pass < 2; ++pass) {
    std::int64_t next = 0;
    for (auto& batch : batches) {
      CHECK(batch.indices.equal(torch::arange(next, next + batch.indices.size(0))));
      next += batch.indices.size(0);
      batch.indices.fill_(7);
      batch.labels.fill_(0);
      batch.images.fill_(0);
    }
    CHECK(next == 20);
  }
}

TEST_CASE("Batches that would never hold a batch are refused", "[data]") {
  const auto message = error_of([] {
    Batches(random_dataset(5), rt::transforms::Pipeline<>(), BatchesOptions(6).drop_last(true));
  });
  CHECK(contains(message,
                 "at least one whole batch with drop_last, got 5 examples for batches of 6"));
}

}  // namespace batches_test
