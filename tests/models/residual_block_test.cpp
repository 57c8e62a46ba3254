#include "regtorch/models/residual_block.hpp"

#include "catch.hpp"
#include "one_by_one.hpp"

namespace residual_block_test {

using namespace regtorch::testing;

TEST_CASE("a residual block computes its formula", "[models]") {
  torch::manual_seed(0);
  for (const auto& [in, out, stride] : {std::tuple{4, 4, 1}, {4, 6, 1}, {4, 8, 2}, {4, 4, 2}}) {
    rt::ResidualBlock block(in, out, stride);
    const auto x = torch::randn({3, in, 9, 9});
    for (const bool training : {true, false}) {
      block->train(training);
      const auto buffers = block->named_buffers();
      const auto p = block->named_parameters();
      const auto norm = [&](const torch::Tensor& t, const std::string& name) {
        // The running statistics are only read in eval mode, and copied so that nothing moves
        // twice.
        return torch::batch_norm(
            t, p[name + ".weight"], p[name + ".bias"], buffers[name + ".running_mean"].clone(),
            buffers[name + ".running_var"].clone(), training, 0.1, 1e-5, false);
      };
      auto y = torch::conv2d(x, p["conv_block.0.weight"], {}, stride, 1);
      y = norm(y, "conv_block.1").relu();
      y = norm(torch::conv2d(y, p["conv_block.3.weight"], {}, 1, 1), "conv_block.4");
      const bool identity = stride == 1 && in == out;
      CHECK(p.contains("downsample.0.weight") != identity);
      y = y + (identity
                   ? x
                   : norm(torch::conv2d(x, p["downsample.0.weight"], {}, stride), "downsample.1"));
      const auto before = x.clone();
      CHECK(torch::allclose(block->forward(x), y.relu(), 1e-4, 1e-5));
      CHECK(x.equal(before));
    }
  }
}

TEST_CASE("a residual block on channels_last images is its layers one by one", "[models]") {
  torch::manual_seed(1);
  const auto images = torch::randn({8, 16, 9, 9}).contiguous(kChannelsLast);
  check_one_by_one(rt::ResidualBlock(16, 16), images, 2);
  check_one_by_one(rt::ResidualBlock(16, 24, 2), images, 2);
  check_one_by_one(rt::ResidualBlock(rt::ResidualBlockOptions(16, 16).batch_norm(false)), images,
                   0);
}

/// A batch normalization with a forward of its own.
class DoubledImpl : public torch::nn::BatchNorm2dImpl {
 public:
  using BatchNorm2dImpl::BatchNorm2dImpl;
  torch::Tensor forward(const torch::Tensor& x) { return 2 * BatchNorm2dImpl::forward(x); }
};

TEST_CASE("a residual block runs layers that others put in as a Sequential does", "[models]") {
  namespace nn = torch::nn;
  torch::manual_seed(2);
  const auto images = torch::randn({8, 4, 9, 9}).contiguous(kChannelsLast);
  const auto with = [](nn::Sequential layers) {
    rt::ResidualBlock block(4, 4);
    block->conv_block = block->replace_module("conv_block", layers);
    return block;
  };
  const auto conv = [] { return nn::Conv2d(nn::Conv2dOptions(4, 4, 3).padding(1)); };
  const auto check = [&](rt::ResidualBlock block, int fused) {
    const auto y = block(images);
    CHECK(count_nodes(y, "BatchNormFunction") == fused);
    CHECK(near(y, one_by_one(block, images), 1e-5));
  };
  check(with(nn::Sequential(conv())), 0);
  check(with(nn::Sequential(nn::BatchNorm2d(4))), 1);
  check(with(nn::Sequential(nn::BatchNorm2d(4), nn::ReLU())), 1);
  check(with(nn::Sequential(nn::BatchNorm2d(4), nn::GELU(), conv(), nn::BatchNorm2d(4))), 1);
  check(with(nn::Sequential(conv(), nn::BatchNorm2d(4), nn::BatchNorm2d(4), nn::ReLU(), conv())),
        1);
  check(with(nn::Sequential(conv(), std::make_shared<DoubledImpl>(4), nn::ReLU(), conv())), 0);
  check(with(nn::Sequential(conv(), std::make_shared<DoubledImpl>(4))), 0);
  CHECK(contains(error_of([&] { with(nn::Sequential())->forward(images); }), "empty Sequential"));
}

TEST_CASE("a residual block refuses what is no shape", "[models]") {
  CHECK(contains(error_of([] { rt::ResidualBlock(0, 4); }), "got in_channels 0, out_channels 4"));
  CHECK(contains(error_of([] { rt::ResidualBlock(4, 4, 0); }), "stride 0"));
}

}  // namespace residual_block_test
