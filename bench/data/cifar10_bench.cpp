// cifar10_load: the five training files (154 MB, in the page cache) into memory, as images and
// labels, against reading their bytes, likewise two files at a time.

#include "regtorch/data/cifar10.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "regtorch/core/parallel_for.hpp"

namespace {

namespace fs = std::filesystem;
namespace rt = regtorch;

constexpr std::size_t kBytes = 10000 * 3073;

/// A folder with files of the right form, made once for the process.
const fs::path& folder() {
  struct Folder {
    fs::path path = fs::temp_directory_path() / "regtorch_bench_cifar10";
    Folder() {
      fs::create_directories(path);
      const std::string zeros(kBytes, '\0');
      for (int f = 1; f <= 5; ++f) {
        std::ofstream(file(f), std::ios::binary) << zeros;
      }
    }
    ~Folder() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
    fs::path file(int f) const { return path / ("data_batch_" + std::to_string(f) + ".bin"); }
  };
  static const Folder folder;
  return folder.path;
}

void regtorch_variant(benchmark::State& state) {
  const fs::path root = folder();
  for (auto _ : state) {
    const rt::data::CIFAR10 data(root);
    benchmark::DoNotOptimize(data.images().data_ptr());
  }
  state.SetBytesProcessed(state.iterations() * 5 * static_cast<std::int64_t>(kBytes));
}

void copy_variant(benchmark::State& state) {
  const fs::path root = folder();
  for (auto _ : state) {
    const std::unique_ptr<char[]> bytes(new char[5 * kBytes]);
    rt::parallel_for(5, 1, [&](std::int64_t f, std::int64_t) {
      std::ifstream file;
      file.rdbuf()->pubsetbuf(nullptr, 0);
      file.open(root / ("data_batch_" + std::to_string(f + 1) + ".bin"), std::ios::binary);
      file.read(bytes.get() + static_cast<std::size_t>(f) * kBytes, kBytes);
    });
    benchmark::DoNotOptimize(bytes.get());
  }
  state.SetBytesProcessed(state.iterations() * 5 * static_cast<std::int64_t>(kBytes));
}

BENCHMARK(regtorch_variant)
    ->Name("cifar10_load/regtorch/50000x3x32x32/uint8")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(copy_variant)
    ->Name("cifar10_load/copy/50000x3x32x32/uint8")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
