#include "regtorch/models/residual_block.hpp"

#include "catch.hpp"

namespace residual_block_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

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

TEST_CASE("a residual block refuses what is no shape", "[models]") {
  CHECK(contains(error_of([] { rt::ResidualBlock(0, 4); }), "got in_channels 0, out_channels 4"));
  CHECK(contains(error_of([] { rt::ResidualBlock(4, 4, 0); }), "stride 0"));
}

}  // namespace residual_block_test
