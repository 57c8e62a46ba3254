#include "regtorch/core/module.hpp"

#include <stdexcept>

#include "catch.hpp"

namespace module_test {

using regtorch::testing::error_of;

TEST_CASE("a holder, an AnyModule and a shared_ptr are models alike", "[core]") {
  torch::nn::Linear holder(3, 2);
  torch::nn::AnyModule any(holder);
  std::shared_ptr<torch::nn::LinearImpl> pointer = holder.ptr();
  const auto x = torch::rand({4, 3});
  CHECK(&rt::module_of(holder) == holder.get());
  CHECK(&rt::module_of(any) == holder.get());
  CHECK(&rt::module_of(pointer) == holder.get());
  CHECK(rt::forward(any, x).equal(rt::forward(holder, x)));
  CHECK(rt::forward(pointer, x).equal(rt::forward(holder, x)));
}

TEST_CASE("KeepMode puts every module back in the mode it was in", "[core]") {
  struct Net : torch::nn::Module {
    torch::nn::Sequential inner = register_module(
        "inner", torch::nn::Sequential(torch::nn::Linear(2, 2), torch::nn::Dropout()));
    torch::nn::BatchNorm1d norm = register_module("norm", torch::nn::BatchNorm1d(2));
  } model;
  model.inner->eval();                  // a frozen part
  model.inner->children()[1]->train();  // with one live module in it
  const auto modes = [&] {
    std::vector<bool> result;
    result.push_back(model.is_training());
    for (const auto& module : model.modules(/*include_self=*/false)) {
      result.push_back(module->is_training());
    }
    return result;
  };
  const auto before = modes();
  REQUIRE(before == std::vector<bool>{true, false, false, true, true});
  (void)error_of([&] {
    const rt::KeepMode keep(model);
    model.eval();
    throw std::runtime_error("out");
  });
  CHECK(modes() == before);
}

}  // namespace module_test
