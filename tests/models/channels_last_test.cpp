#include "regtorch/models/channels_last.hpp"

#include "catch.hpp"
#include "regtorch/models/resnet.hpp"

namespace channels_last_test {

TEST_CASE("channels_last changes the layout of the filters and no value", "[models]") {
  torch::manual_seed(0);
  rt::ResNet model(rt::ResNetOptions({1, 1, 1, 1}));
  model->eval();
  const auto x = torch::randn({2, 3, 32, 32});
  const auto before = model->forward(x);
  rt::to_channels_last(*model);
  for (const auto& parameter : model->parameters()) {
    CHECK((parameter.dim() != 4 || parameter.is_contiguous(at::MemoryFormat::ChannelsLast)));
  }
  CHECK(torch::allclose(model->forward(x.contiguous(at::MemoryFormat::ChannelsLast)), before, 1e-4,
                        1e-4));
}

}  // namespace channels_last_test
