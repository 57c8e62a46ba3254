// The program of a stranger who uses regtorch: does it get the library, whole and at full speed?

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <set>
#include <thread>

#include <torch/torch.h>

#include <regtorch/regtorch.hpp>

namespace rt = regtorch;

namespace {

/// How many threads parallel_for uses when there are two. Each piece of work waits until a second
/// thread has come, so that no thread can do all of them alone; it gives up after ten seconds.
std::size_t count_threads() {
  std::mutex mutex;
  std::condition_variable arrived;
  std::set<std::thread::id> threads;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  rt::parallel_for(1000, 1, [&](std::int64_t, std::int64_t) {
    std::unique_lock lock(mutex);
    threads.insert(std::this_thread::get_id());
    arrived.notify_all();
    arrived.wait_until(lock, deadline, [&] { return threads.size() >= 2; });
  });
  return threads.size();
}

int failures = 0;

void expect(bool holds, const char* what) {
  std::printf("%s: %s\n", holds ? "ok" : "FAILED", what);
  failures += holds ? 0 : 1;
}

}  // namespace

int main() {
  const auto images = torch::randint(256, {64, 3, 32, 32}, torch::kByte);
  const rt::transforms::Pipeline augment{
      rt::transforms::RandomCrop(32, /*padding=*/4), rt::transforms::RandomHorizontalFlip(),
      rt::transforms::Normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5})};
  torch::set_num_threads(1);
  const auto alone = augment(images, /*seed=*/7);
  torch::set_num_threads(2);
  const auto together = augment(images, /*seed=*/7);
  expect(alone.sizes() == images.sizes() && alone.dtype() == torch::kFloat, "shape and type");
  expect(alone.min().item<float>() == -1 && alone.max().item<float>() == 1, "range of values");
  expect(torch::equal(alone, together), "one thread and two give the same images");

  const auto isa = rt::kernels::active_isa();
  std::printf("instruction set: %s\n", to_string(isa));
  expect(isa == rt::kernels::best_isa(), "the best instruction set is in use");
  expect(count_threads() == 2, "parallel_for runs on two threads");
  return failures;
}
