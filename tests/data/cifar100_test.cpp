#include "regtorch/data/cifar100.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "cifar_fixtures.hpp"
#include "temporary_folder.hpp"

namespace cifar100_test {

using regtorch::testing::check_damaged;
using regtorch::testing::cifar_bytes;
using regtorch::testing::cifar_images;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::kCifarPixels;
using regtorch::testing::kCifarRecords;
using regtorch::testing::poke;
using regtorch::testing::TemporaryFolder;
using regtorch::testing::write_bytes;
using regtorch::testing::write_zeros;
using rt::data::CIFAR100;

namespace {

constexpr auto kTest = CIFAR100::Mode::kTest;
constexpr std::int64_t kRecordBytes = 2 + kCifarPixels;

}  // namespace

TEST_CASE("CIFAR100 reads images, coarse labels and fine ones", "[data]") {
  const TemporaryFolder folder;
  auto bytes = cifar_bytes(0, [](std::int64_t record) {
    return std::array{static_cast<std::uint8_t>(record % 20),
                      static_cast<std::uint8_t>(99 - record % 100)};
  });
  REQUIRE(bytes.size() == 30'740'000);
  write_bytes(folder.path / "test.bin", bytes);
  const auto coarse = torch::arange(kCifarRecords).remainder(20);
  const auto fine = 99 - torch::arange(kCifarRecords).remainder(100);

  const CIFAR100 data(folder.path, kTest);
  CHECK(data.images().equal(cifar_images(bytes)));
  CHECK(data.coarse_targets().equal(coarse));
  CHECK(data.fine_targets().equal(fine));
  CHECK(data.targets().equal(fine));
  CHECK(data.num_classes() == 100);

  const CIFAR100 by_coarse(folder.path, kTest, CIFAR100::Labels::kCoarse);
  CHECK(by_coarse.targets().equal(coarse));
  CHECK(by_coarse.fine_targets().equal(fine));
  CHECK(by_coarse.num_classes() == 20);
}

TEST_CASE("CIFAR100 reads all of the training file", "[data]") {
  const TemporaryFolder parent;
  const auto folder = parent.path / "cifar-100-binary";
  std::filesystem::create_directory(folder);
  const auto file = folder / "train.bin";
  write_zeros(file, 50000 * static_cast<std::uintmax_t>(kRecordBytes));
  // Zeros but for five bytes: the last record's labels and last pixel, and two of record 20,001.
  poke(file, 49999 * kRecordBytes, 19);
  poke(file, 49999 * kRecordBytes + 1, 99);
  poke(file, 50000 * kRecordBytes - 1, 200);
  poke(file, 20001 * kRecordBytes + 1, 7);
  poke(file, 20001 * kRecordBytes + 2 + 1024 + 32, 100);

  const CIFAR100 data(parent.path);
  CHECK(data.images().sizes() == torch::IntArrayRef({50000, 3, 32, 32}));
  CHECK(data.images()[49999][2][31][31].item<int>() == 200);
  CHECK(data.images()[20001][1][1][0].item<int>() == 100);
  CHECK(data.images().sum().item<std::int64_t>() == 300);
  CHECK(data.coarse_targets()[49999].item<int>() == 19);
  CHECK(data.coarse_targets().sum().item<int>() == 19);
  CHECK(data.fine_targets()[49999].item<int>() == 99);
  CHECK(data.fine_targets()[20001].item<int>() == 7);
  CHECK(data.fine_targets().sum().item<int>() == 106);
}

TEST_CASE("CIFAR100 says which file is damaged, and how", "[data]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "test.bin";
  check_damaged(file, 2, [&] { CIFAR100(folder.path, kTest); });

  struct Bad {
    std::int64_t byte;
    int label;
    const char* wanted;
  };
  for (const Bad bad : {Bad{0, 20, "labels below 20"},
                        {1, 100, "labels below 100"},
                        {0, 255, "labels below 20"},
                        {1, 255, "labels below 100"}}) {
    write_zeros(file, static_cast<std::uintmax_t>(kCifarRecords * kRecordBytes));
    poke(file, 777 * kRecordBytes + bad.byte, bad.label);
    const auto message = error_of([&] { CIFAR100(folder.path, kTest); });
    CAPTURE(message);
    CHECK(contains(message, bad.wanted));
    CHECK(contains(message, "got " + std::to_string(bad.label) + " in record 777"));
    CHECK(contains(message, file.string()));
  }

  // A file of the length of CIFAR-10's is another dataset's.
  write_zeros(file, 30'730'000);
  CHECK(contains(error_of([&] { CIFAR100(folder.path, kTest); }), "30740000"));
  CHECK(contains(error_of([&] { CIFAR100{folder.path}; }), "found neither train.bin nor"));
}

}  // namespace cifar100_test
