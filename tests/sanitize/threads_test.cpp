// What several threads do at once, for ThreadSanitizer: what is first used by all of them together,
// kernels on shared inputs, the pieces' own parallel loops, and what is shared by design.

#include "threads.hpp"

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <signal.h>
#include <unistd.h>

#include "catch.hpp"
#include "regtorch/core/cpu_memory_cache.hpp"
#include "regtorch/core/key.hpp"
#include "regtorch/core/write_file.hpp"
#include "regtorch/data/cifar_files.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/disturb_label.hpp"
#include "regtorch/kernels/image_pipeline.hpp"
#include "regtorch/kernels/smoothed_cross_entropy.hpp"
#include "regtorch/labels/disturb_label.hpp"
#include "regtorch/losses/smoothed_cross_entropy.hpp"
#include "regtorch/training/stop_on_interrupt.hpp"
#include "regtorch/transforms/color_jitter.hpp"
#include "regtorch/transforms/normalize.hpp"
#include "regtorch/transforms/pipeline.hpp"
#include "regtorch/transforms/random_crop.hpp"
#include "regtorch/transforms/random_erasing.hpp"
#include "regtorch/transforms/random_horizontal_flip.hpp"
#include "temporary_folder.hpp"

namespace threads_test {

namespace kernels = regtorch::kernels;
namespace transforms = regtorch::transforms;
using regtorch::testing::TemporaryFolder;
using regtorch::testing::Threads;

namespace {

constexpr int kThreads = 4;

/// Calls body(0), body(1), ... on threads of their own, which begin at the same moment.
void at_once(const std::function<void(int)>& body) {
  std::barrier begin(kThreads);
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      begin.arrive_and_wait();
      body(number);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

/// A result for each thread, made by all at once; they must be equal to one made alone.
template <class Make>
void check_alike(const Make& make) {
  std::array<decltype(make()), kThreads> results;
  at_once([&](int number) { results[static_cast<std::size_t>(number)] = make(); });
  const auto alone = make();
  for (const auto& result : results) {
    CHECK(result == alone);
  }
}

auto augmentation() {
  return std::tuple(
      transforms::RandomCrop(16, 4),
      transforms::ColorJitter(transforms::ColorJitterOptions().contrast(0.5).hue(0.1)),
      transforms::RandomErasing(transforms::RandomErasingOptions().noise(true)),
      transforms::RandomHorizontalFlip(), transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}));
}

at::Tensor images(std::int64_t count) {
  const at::Tensor bytes = at::empty({count, 3, 16, 16}, at::kByte);
  auto* byte = bytes.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < bytes.numel(); ++i) {
    byte[i] = static_cast<std::uint8_t>(i * 37);
  }
  return bytes;
}

std::vector<float> values(const at::Tensor& tensor) {
  const auto* first = tensor.const_data_ptr<float>();
  return {first, first + tensor.numel()};
}

}  // namespace

// A process of its own in ctest: nothing before it may have used these.
TEST_CASE("first uses at the same moment", "[first-use]") {
  std::array<kernels::Isa, kThreads> isas{};
  std::array<const void*, kThreads> tables{};
  std::array<std::size_t, kThreads> in_use{};
  at_once([&](int number) {
    const auto i = static_cast<std::size_t>(number);
    isas[i] = kernels::active_isa();
    tables[i] = &kernels::device_kernels();
    in_use[i] = rt::cpu_memory_cache_statistics().in_use;
  });
  for (std::size_t i = 0; i < kThreads; ++i) {
    CHECK(isas[i] == isas[0]);
    CHECK(tables[i] == tables[0]);
    CHECK(in_use[i] == 0);
  }
}

TEST_CASE("kernels on the same inputs", "[threads]") {
  const kernels::Isa isa = kernels::active_isa();
  const auto source = images(8);
  const std::vector<std::int64_t> ids{0, 1, 2, 3, 4, 5, 6, 7};
  const auto pipeline = augmentation();
  check_alike([&] {
    std::vector<float> result(8 * 3 * 16 * 16);
    kernels::transform_images(pipeline,
                              {source.const_data_ptr<std::uint8_t>(), ids.data(), {16, 16}},
                              {result.data()}, 0, 8, {1, 2, 3}, isa);
    return result;
  });
  kernels::SmoothedTargets rule;
  rule.classes = 10;
  rule.floor = 0.01f;
  rule.weight_sum = 10;
  rule.ignore_index = -1;
  const std::vector<float> logits(8 * 10, 0.5f);
  check_alike([&] {
    std::vector<float> gradient(logits.size());
    kernels::smoothed_cross_entropy_rows<kernels::Float32Format>(
        rule, {logits.data(), ids.data(), gradient.data()}, 0, 8, isa);
    return gradient;
  });
  const auto disturb = kernels::DisturbRule::make(0.5, 10);
  check_alike([&] {
    std::vector<std::int64_t> labels(ids.size());
    kernels::disturb_labels(ids.data(), labels.data(), 0, 8, -1, disturb, {4, 5, 6}, isa);
    return labels;
  });
}

TEST_CASE("pieces on all intra-op threads are what they are on one", "[threads]") {
  const auto source = images(64);
  const auto pipeline = std::apply(
      [](const auto&... transform) { return transforms::Pipeline(transform...); }, augmentation());
  const auto indices = at::arange(64, at::kLong);
  const auto labels = at::zeros({40000}, at::kLong);
  const auto logits = at::zeros({4096, 10}, at::kFloat);
  logits.set_requires_grad(true);
  const auto loss_options = rt::LabelSmoothingLossOptions(10);
  const auto run = [&](int count) {
    const Threads guard(count);
    auto result = values(pipeline(source, rt::Key{1, 0}, indices));
    rt::DisturbLabel disturb(rt::DisturbLabelOptions(50, 10).seed(3));
    const at::Tensor disturbed = disturb->forward(labels);
    const auto* label = disturbed.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < disturbed.numel(); ++i) {
      result.push_back(static_cast<float>(label[i]));
    }
    const at::Tensor targets = disturbed.slice(0, 0, 4096);
    const at::Tensor loss = rt::smoothed_cross_entropy(logits, targets, loss_options);
    loss.backward();
    for (const float g : values(logits.grad())) {
      result.push_back(g);
    }
    logits.mutable_grad().reset();
    result.push_back(loss.item<float>());
    return result;
  };
  CHECK(run(kThreads) == run(1));
}

TEST_CASE("the files of a data set, several at a time", "[threads]") {
  const TemporaryFolder folder;
  rt::data::detail::CifarLayout layout{"CIFAR", "cifar", {}, 3, {10}};
  for (int file = 0; file < 5; ++file) {
    layout.files.push_back(std::to_string(file));
    rt::write_file(folder.path / layout.files.back(),
                   std::string(3 * 3073, static_cast<char>(file)));
  }
  const Threads guard(kThreads);
  const auto data = rt::data::detail::read_cifar(folder.path, layout);
  const auto* label = data.labels.const_data_ptr<std::int64_t>();
  for (int i = 0; i < 15; ++i) {
    CHECK(label[i] == i / 3);
  }
  // All find that their file has a label too many.
  layout.classes = {1};
  CHECK(regtorch::testing::contains(
      regtorch::testing::error_of([&] { rt::data::detail::read_cifar(folder.path, layout); }),
      "wanted labels below 1"));
}

TEST_CASE("tensors in the memory cache are made here and freed there", "[threads]") {
  rt::use_cpu_memory_cache();
  std::mutex mutex;
  std::vector<at::Tensor> shared;
  std::atomic<bool> intact = true;
  at_once([&](int number) {
    for (int step = 0; step < 100; ++step) {
      const std::int64_t bytes = 40000 + 3000 * (step % 7);
      at::Tensor tensor = at::empty({bytes}, at::kByte);
      std::memset(tensor.mutable_data_ptr(), number, tensor.nbytes());
      const std::lock_guard<std::mutex> lock(mutex);
      shared.push_back(std::move(tensor));
      std::swap(shared.front(), shared.back());
      const auto* byte = shared.back().const_data_ptr<std::uint8_t>();
      intact = intact && byte[0] == byte[shared.back().numel() - 1];
      if (shared.size() > 6) {
        shared.pop_back();
      }
      if (step % 25 == number) {
        rt::empty_cpu_memory_cache();
        intact = intact && rt::cpu_memory_cache_statistics().in_use > 0;
      }
    }
  });
  CHECK(intact);
  shared.clear();
  CHECK(rt::cpu_memory_cache_statistics().in_use == 0);
  c10::SetCPUAllocator(c10::GetDefaultCPUAllocator());
}

TEST_CASE("Ctrl-C comes to any thread", "[threads]") {
  rt::StopOnInterrupt interrupt;
  std::thread other([] { ::raise(SIGINT); });  // on this thread, not on the one that waits
  while (!interrupt.interrupted()) {
    std::this_thread::yield();
  }
  other.join();
  CHECK(interrupt.interrupted());
}

TEST_CASE("one file is written by all, and read meanwhile", "[threads]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "file";
  rt::write_file(path, std::string(1000, 'a'));
  std::atomic<bool> whole = true;
  at_once([&](int number) {
    for (int i = 0; i < 5; ++i) {
      rt::write_file(path, std::string(1000, static_cast<char>('a' + number)));
      std::ifstream file(path);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      whole = whole && text == std::string(1000, text.front());
    }
  });
  CHECK(whole);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("seeds are drawn by all", "[threads]") {
  // LibTorch makes its generator when it is first asked for, under a guard that ThreadSanitizer,
  // which LibTorch is not compiled for, does not see.
  at::detail::getDefaultCPUGenerator();
  std::array<std::uint64_t, kThreads> seeds{};
  at_once([&](int number) {
    seeds[static_cast<std::size_t>(number)] = rt::seed_or_draw(std::nullopt);
  });
  CHECK(seeds[0] != seeds[1]);
}

}  // namespace threads_test
