#include "regtorch/data/cifar10.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cifar_fixtures.hpp"
#include "fixtures.hpp"
#include "real_cifar10.hpp"
#include "temporary_folder.hpp"

namespace cifar10_test {

using regtorch::testing::check_damaged;
using regtorch::testing::cifar_bytes;
using regtorch::testing::cifar_images;
using regtorch::testing::cifar_pixel;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::kCifarPixels;
using regtorch::testing::kCifarRecords;
using regtorch::testing::load_all;
using regtorch::testing::poke;
using regtorch::testing::real_cifar10_root;
using regtorch::testing::TemporaryFolder;
using regtorch::testing::write_bytes;
using regtorch::testing::write_zeros;
using rt::data::CIFAR10;

namespace {

constexpr auto kTest = CIFAR10::Mode::kTest;
constexpr std::uintmax_t kFileBytes = 30'730'000;

std::string train_file(int number) { return "data_batch_" + std::to_string(number) + ".bin"; }

std::string bytes_of_file(int number) {
  return cifar_bytes(number, [](std::int64_t record) {
    return std::array{static_cast<std::uint8_t>(record % 10)};
  });
}

/// Whether part `place` of the images is file `number`, and its targets 0 to 9 over and over.
void check_part(const CIFAR10& data, std::int64_t place, std::string& bytes) {
  const auto part = [&](const torch::Tensor& all) {
    return all.narrow(0, place * kCifarRecords, kCifarRecords);
  };
  CHECK(part(data.images()).equal(cifar_images(bytes)));
  CHECK(part(data.targets()).equal(torch::arange(kCifarRecords).remainder(10)));
}

}  // namespace

TEST_CASE("CIFAR10 reads five training files in order, and the test file", "[data]") {
  const TemporaryFolder parent;
  const auto folder = parent.path / "cifar-10-batches-bin";
  std::filesystem::create_directory(folder);
  std::vector<std::string> files;
  for (int number = 1; number <= 6; ++number) {
    files.push_back(bytes_of_file(number));
    REQUIRE(files.back().size() == kFileBytes);
    write_bytes(folder / (number == 6 ? "test_batch.bin" : train_file(number)), files.back());
  }
  {
    const CIFAR10 train(parent.path);  // the folder that holds cifar-10-batches-bin
    CHECK(train.images().sizes() == torch::IntArrayRef({50000, 3, 32, 32}));
    CHECK(train.images().scalar_type() == torch::kByte);
    CHECK(train.targets().sizes() == torch::IntArrayRef({50000}));
    CHECK(train.targets().scalar_type() == torch::kLong);
    CHECK(train.num_classes() == 10);
    for (std::int64_t place = 0; place < 5; ++place) {
      check_part(train, place, files[static_cast<std::size_t>(place)]);
    }
    // Red, green, blue, each row by row: the second file's record 4321, blue, row 2, column 31.
    CHECK(train.images()[14321][2][2][31].item<std::uint8_t>() ==
          cifar_pixel(2, 4321, 2 * 1024 + 2 * 32 + 31));
  }
  const CIFAR10 test(folder, kTest);  // the folder with the files
  CHECK(test.images().size(0) == kCifarRecords);
  check_part(test, 0, files[5]);

  const auto loaded = load_all(test, 3000);
  CHECK(loaded.target.equal(test.targets()));
  CHECK(loaded.data[9999].equal(test.images()[9999].to(torch::kFloat) / 255));
}

TEST_CASE("CIFAR10 says which file is damaged, and how", "[data]") {
  const TemporaryFolder folder;
  const auto test_file = folder.path / "test_batch.bin";
  check_damaged(test_file, 1, [&] { CIFAR10(folder.path, kTest); });

  for (const int label : {10, 128, 255}) {
    write_zeros(test_file, kFileBytes);
    poke(test_file, 6543 * (1 + kCifarPixels), label);
    const auto message = error_of([&] { CIFAR10(folder.path, kTest); });
    CAPTURE(message);
    CHECK(contains(message, "CIFAR10: wanted labels below 10"));
    CHECK(contains(message, "got " + std::to_string(label) + " in record 6543"));
    CHECK(contains(message, test_file.string()));
  }
}

TEST_CASE("CIFAR10 says which of the training files is damaged", "[data]") {
  const TemporaryFolder folder;
  for (int number = 1; number <= 5; ++number) {
    write_zeros(folder.path / train_file(number), kFileBytes);
  }
  const auto third = folder.path / train_file(3);
  check_damaged(third, 1, [&] { CIFAR10(folder.path, CIFAR10::Mode::kTrain); });

  poke(third, 9999 * (1 + kCifarPixels), 10);
  const auto label = error_of([&] { CIFAR10{folder.path}; });
  CHECK(contains(label, "got 10 in record 9999 of " + third.string()));

  std::filesystem::remove(third);
  const auto missing = error_of([&] { CIFAR10{folder.path}; });
  CHECK(contains(missing, "CIFAR10: could not read " + third.string() + ": No such file"));

  std::filesystem::create_symlink(third, third);
  const auto unreadable = error_of([&] { CIFAR10{folder.path}; });
  CHECK(contains(unreadable, "CIFAR10: could not read " + third.string() + ": Too many levels"));
}

TEST_CASE("CIFAR10 tells a first file that is a dead link from none", "[data]") {
  const TemporaryFolder folder;
  const auto first = folder.path / train_file(1);
  std::filesystem::create_symlink(first, first);
  const regtorch::testing::Threads one(1);  // of several bad files, the first one's error
  CHECK(contains(error_of([&] { CIFAR10{folder.path}; }),
                 "CIFAR10: could not read " + first.string() + ": Too many levels"));
}

TEST_CASE("CIFAR10 says what is wrong with the root", "[data]") {
  const TemporaryFolder folder;
  const auto no_folder = (folder.path / "nowhere").string();
  CHECK(contains(error_of([&] { CIFAR10{no_folder}; }), no_folder + ", which does not exist"));

  const auto file = folder.path / "file";
  write_zeros(file, kFileBytes);
  CHECK(contains(error_of([&] { CIFAR10{file}; }), file.string() + ", which is not a folder"));

  const auto empty = error_of([&] { CIFAR10{folder.path}; });
  CHECK(
      contains(empty, "found neither data_batch_1.bin nor cifar-10-batches-bin/data_batch_1.bin"));
  CHECK(contains(empty, folder.path.string()));
  CHECK_THROWS_AS(CIFAR10(folder.path), c10::Error);
}

TEST_CASE("the real CIFAR-10 has the published statistics", "[data][real-cifar10]") {
  const auto root = real_cifar10_root();
  if (!root) {
    WARN("SKIPPED: the real CIFAR-10 is not at hand; set REGTORCH_CIFAR10_ROOT");
    return;
  }
  const CIFAR10 train(*root);
  const std::array mean{0.49139968, 0.48215841, 0.44653091};
  const std::array std{0.24703223, 0.24348513, 0.26158784};
  const auto value = torch::arange(256, torch::kDouble) / 255;
  for (std::size_t c = 0; c < 3; ++c) {  // exact, from how often each byte occurs
    const auto bytes = train.images().select(1, static_cast<std::int64_t>(c)).flatten();
    const auto share =
        torch::bincount(bytes, {}, 256).to(torch::kDouble) / static_cast<double>(bytes.numel());
    const double m = (share * value).sum().item<double>();
    CHECK(m == Approx(mean[c]).epsilon(0).margin(1e-6));
    CHECK((share * (value - m).square()).sum().sqrt().item<double>() ==
          Approx(std[c]).epsilon(0).margin(1e-6));
  }
  CHECK(torch::bincount(train.targets()).equal(torch::full({10}, 5000)));
  const CIFAR10 test(*root, kTest);
  CHECK(torch::bincount(test.targets()).equal(torch::full({10}, 1000)));
  CHECK_FALSE(test.images().equal(train.images().slice(0, 0, 10000)));
}

TEST_CASE("CIFAR10 names its classes", "[data]") {
  const std::vector<std::string> names{"airplane", "automobile", "bird",  "cat",  "deer",
                                       "dog",      "frog",       "horse", "ship", "truck"};
  CHECK(CIFAR10::class_names() == names);
}

}  // namespace cifar10_test
