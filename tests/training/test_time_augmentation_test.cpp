#include "regtorch/training/test_time_augmentation.hpp"

#include <cstdlib>

#include "catch.hpp"

namespace test_time_augmentation_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

torch::nn::Sequential make_model() {
  torch::manual_seed(1);
  torch::nn::Sequential model(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 5, 3).stride(2)),
                              torch::nn::BatchNorm2d(5), torch::nn::ReLU(), torch::nn::Flatten(),
                              torch::nn::Dropout(0.5));
  model->to(torch::kDouble);
  return model;
}

/// Each pixel by itself: moved down by dy and right by dx, reflected at the edge.
torch::Tensor moved(const torch::Tensor& images, std::int64_t dy, std::int64_t dx, bool mirrored) {
  auto out = torch::empty_like(images);
  const auto height = images.size(2), width = images.size(3);
  const auto reflect = [](std::int64_t i, std::int64_t side) {
    i = std::abs(i);
    return i >= side ? 2 * (side - 1) - i : i;
  };
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const auto from_x = mirrored ? width - 1 - x : x;
      out.select(2, y).select(2, x).copy_(
          images.select(2, reflect(y - dy, height)).select(2, reflect(from_x - dx, width)));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("test_time_augmentation is the mean that it says", "[training]") {
  auto model = make_model();
  const auto images = torch::randn({3, 3, 7, 9}, torch::kDouble);
  // So that running statistics are used, and dropout is not.
  model->train();
  model->forward(torch::randn({8, 3, 7, 9}, torch::kDouble));
  const auto statistics = model->buffers()[0].clone();
  for (const std::int64_t translate : {0, 1, 3, 6}) {
    const auto got = rt::test_time_augmentation(model, images, translate);
    CHECK(model->is_training());
    CHECK_FALSE(got.requires_grad());
    CHECK(model->buffers()[0].equal(statistics));

    model->eval();
    const auto pair = [&](std::int64_t by) {
      return (model->forward(moved(images, by, by, false)) +
              model->forward(moved(images, by, by, true))) /
             2;
    };
    const auto wanted =
        translate == 0 ? pair(0) : pair(0) / 2 + (pair(translate) + pair(-translate)) / 4;
    model->train();
    CHECK(got.allclose(wanted, 1e-12, 1e-13));
  }
}

TEST_CASE("test_time_augmentation says what is wrong", "[training]") {
  auto model = make_model();
  const auto images = torch::zeros({2, 3, 7, 9}, torch::kDouble);
  const auto error = [&](const torch::Tensor& of, std::int64_t translate) {
    return error_of([&] { rt::test_time_augmentation(model, of, translate); });
  };
  CHECK(contains(error(images, -1), "wanted to translate by 0 pixels or more"));
  CHECK(contains(error(images, 7), "less than the sides 7 and 9, got 7"));
  CHECK(contains(error(images[0], 1), "wanted floating-point images [N,C,H,W], got Double [3"));
  CHECK(contains(error(images.to(torch::kByte), 1), "got Byte"));
}

}  // namespace test_time_augmentation_test
