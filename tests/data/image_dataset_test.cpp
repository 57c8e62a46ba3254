#include "regtorch/data/image_dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "catch.hpp"
#include "fixtures.hpp"

namespace image_dataset_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::load_all;
using regtorch::testing::random_dataset;
using regtorch::testing::random_images;
using rt::data::ImageDataset;

TEST_CASE("ImageDataset holds the tensors it was given", "[data]") {
  const auto images = random_images(4, 5, 7);
  const auto targets = torch::tensor({2, 0, 1, 2}, torch::kLong);
  const ImageDataset data(images, targets, 3);
  CHECK(data.images().is_same(images));
  CHECK(data.targets().equal(targets));
  CHECK(data.num_classes() == 3);
  CHECK(data.size().value() == 4);
  const auto copy = data;  // NOLINT: that a copy shares the tensors is what is tested
  CHECK(copy.images().data_ptr() == images.data_ptr());

  CHECK(ImageDataset(random_images(0, 5, 7), torch::empty({0}, torch::kLong), 1).size() == 0);
  const auto strided = torch::tensor({{0, 9}, {1, 9}, {2, 9}, {0, 9}}, torch::kLong).select(1, 0);
  CHECK(ImageDataset(images, strided, 3).targets().equal(torch::tensor({0, 1, 2, 0})));
}

TEST_CASE("ImageDataset::get gives an example in [0, 1], of its own", "[data]") {
  auto images = torch::zeros({2, 3, 1, 2}, torch::kByte);
  images[1][2][0][0] = 255;
  images[1][1][0][1] = 51;
  ImageDataset data(images, torch::tensor({4, 7}, torch::kLong), 10);

  const auto example = data.get(1);
  CHECK(example.data.scalar_type() == torch::kFloat);
  CHECK(example.data.equal(torch::tensor({0.0f, 0.0f, 0.0f, 0.2f, 1.0f, 0.0f}).view({3, 1, 2})));
  CHECK(example.target.sizes().empty());
  CHECK(example.target.scalar_type() == torch::kLong);
  CHECK(example.target.item<std::int64_t>() == 7);

  data.get(1).target.fill_(0);  // changes neither the dataset
  data.get(1).data.fill_(0.5);
  CHECK(data.targets()[1].item<std::int64_t>() == 7);
  CHECK(data.images().equal(images));
}

TEST_CASE("ImageDataset::get refuses indices beyond the end", "[data]") {
  auto data = random_dataset(3, 4);
  CHECK_THROWS_AS(data.get(3), c10::IndexError);
  CHECK(contains(error_of([&] { data.get(3); }), "ImageDataset: wanted an index below 3, got 3"));
  const auto huge = std::numeric_limits<std::size_t>::max();
  CHECK(contains(error_of([&] { data.get(huge); }), "got " + std::to_string(huge)));
}

TEST_CASE("ImageDataset serves LibTorch's data loader", "[data]") {
  const auto data = random_dataset(23, 6);
  for (const std::size_t workers : {0, 2}) {
    const auto loaded = load_all(data, 5, workers);
    CHECK(loaded.data.equal(data.images().to(torch::kFloat) / 255));
    CHECK(loaded.target.equal(data.targets()));
  }
}

TEST_CASE("ImageDataset says what it wanted and what came", "[data]") {
  const auto images = random_images(2, 4, 4);
  const auto targets = torch::tensor({0, 1}, torch::kLong);
  const auto message = [](const torch::Tensor& x, const torch::Tensor& y, std::int64_t classes) {
    return error_of([&] { ImageDataset(x, y, classes); });
  };
  CHECK(message(images, targets, 2).empty());

  const std::string images_wanted =
      "ImageDataset: wanted images of type Byte (uint8) and shape [N, 3, H, W], got ";
  CHECK(contains(message(images.to(torch::kFloat), targets, 2),
                 images_wanted + "Float [2, 3, 4, 4]"));
  CHECK(contains(message(images[0], targets, 2), images_wanted + "Byte [3, 4, 4]"));
  CHECK(contains(message(images.slice(1, 0, 1), targets, 2), images_wanted + "Byte [2, 1, 4, 4]"));
  CHECK(contains(message(images.slice(2, 0, 0), targets, 2), images_wanted + "Byte [2, 3, 0, 4]"));
  CHECK(contains(message({}, targets, 2), images_wanted + "an undefined tensor"));

  const std::string targets_wanted =
      "ImageDataset: wanted targets of type Long (int64) and shape [2], got ";
  CHECK(contains(message(images, targets.to(torch::kInt), 2), targets_wanted + "Int [2]"));
  CHECK(contains(message(images, torch::zeros({3}, torch::kLong), 2), targets_wanted + "Long [3]"));
  CHECK(contains(message(images, targets.unsqueeze(1), 2), targets_wanted + "Long [2, 1]"));
  CHECK(contains(message(images, {}, 2), targets_wanted + "an undefined tensor"));

  CHECK(contains(message(images.to(torch::kMeta), targets, 2),
                 "wanted tensors on the CPU, got images on meta and targets on cpu"));
  CHECK(contains(message(images, targets.to(torch::kMeta), 2), "targets on meta"));
  CHECK(contains(message(images, targets, 0), "wanted at least 1 class, got 0"));
  CHECK(contains(message(images, targets, 1), "wanted targets in [0, 1), got 1 for image 1"));
  CHECK(contains(message(images, targets - 1, 2), "wanted targets in [0, 2), got -1 for image 0"));
  CHECK_THROWS_AS(ImageDataset(images, targets, 1), c10::ValueError);
}

}  // namespace image_dataset_test
