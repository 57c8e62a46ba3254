#include "regtorch/models/make_model.hpp"

#include <cmath>
#include <string>

#include "catch.hpp"
#include "regtorch/data/synthetic_images.hpp"
#include "regtorch/models/state_dict.hpp"
#include "temporary_folder.hpp"

namespace make_model_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

TEST_CASE("make_model makes the model of that name", "[models]") {
  auto model = rt::make_model("resnet18", 5);
  model.ptr()->eval();
  CHECK(model.ptr()->name() == rt::resnet18(5)->name());
  CHECK(model.forward(torch::zeros({1, 3, 32, 32})).sizes() == torch::IntArrayRef({1, 5}));
  CHECK(rt::make_model("resnet34").ptr()->parameters().size() ==
        rt::resnet34()->parameters().size());
}

TEST_CASE("an unknown model is an error that lists the known ones", "[models]") {
  CHECK(contains(error_of([] { rt::make_model("resnet19"); }),
                 "wanted one of alexnet, cnn, resnet18, resnet34, got 'resnet19'"));
}

TEST_CASE("make_model: each model clones, and comes back from its file", "[models]") {
  const regtorch::testing::TemporaryFolder folder;
  const auto images = torch::randn({2, 3, 32, 32});
  for (const std::string name : {"alexnet", "cnn", "resnet18"}) {
    for (const bool batch_norm : {true, false}) {
      INFO(name << (batch_norm ? " with" : " without") << " batch normalization");
      torch::manual_seed(7);
      auto model = rt::make_model(name, rt::ModelOptions(5).batch_norm(batch_norm));
      auto loaded = rt::make_model(name, rt::ModelOptions(5).batch_norm(batch_norm));
      {
        const torch::NoGradGuard no_grad;  // so that nothing is equal because both begin as 0 or 1
        for (auto& parameter : model.ptr()->parameters()) {
          parameter.add_(torch::randn_like(parameter), 0.01);
        }
      }
      model.ptr()->eval();
      loaded.ptr()->eval();
      const auto wanted = model.forward(images);
      CHECK(wanted.isfinite().all().item<bool>());
      CHECK_FALSE(loaded.forward(images).equal(wanted));
      rt::save_state_dict(*model.ptr(), folder.path / "model.pt");
      rt::load_state_dict(*loaded.ptr(), folder.path / "model.pt");
      CHECK(loaded.forward(images).equal(wanted));

      const auto mine = model.ptr()->named_parameters();
      const auto theirs = model.ptr()->clone()->named_parameters();
      REQUIRE(theirs.keys() == mine.keys());
      for (const auto& entry : mine) {
        CHECK(theirs[entry.key()].equal(entry.value()));
        CHECK_FALSE(theirs[entry.key()].is_alias_of(entry.value()));
      }
    }
  }
}

TEST_CASE("make_model: without batch norm the first gradient is moderate", "[models]") {
  const rt::data::SyntheticImages set(rt::data::SyntheticImagesOptions(32).seed(1));
  const torch::Tensor images = set.images().to(torch::kFloat) / 127.5 - 1;
  const auto labels = set.targets();
  torch::manual_seed(8);
  for (const std::string name : {"alexnet", "cnn", "resnet18"}) {
    auto model = rt::make_model(name, rt::ModelOptions().batch_norm(false).dropout(0));
    const auto loss = torch::nn::functional::cross_entropy(model.forward(images), labels);
    CHECK(loss.item<double>() == Approx(std::log(10.0)).margin(0.1));  // that of a guess
    loss.backward();
    double squares = 0;
    for (const auto& parameter : model.ptr()->parameters()) {
      squares += parameter.grad().square().sum().item<double>();
    }
    INFO(name << ": norm of the gradient " << std::sqrt(squares));
    CHECK(std::sqrt(squares) > 0.05);
    // An initialisation that blew up had 11. These images have a standard deviation of 0.28; on
    // images of standard deviation 1 AlexNet has 3.8 to 5.3.
    CHECK(std::sqrt(squares) < 3);
  }
}

}  // namespace make_model_test
