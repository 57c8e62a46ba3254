#include "regtorch/models/make_model.hpp"

#include "catch.hpp"

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
