#include "regtorch/weights/penalties.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"

namespace penalties_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::Threads;

namespace {

/// Random weights of this shape; every third is 0, where |w| has a corner.
torch::Tensor weights(const std::vector<std::int64_t>& shape, torch::Dtype type,
                      std::uint64_t seed = 1) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  auto w = torch::randn(shape, generator);
  w.view(-1).slice(0, 0, std::nullopt, 3).zero_();
  return w.to(type);
}

/// The sums of |w| and of w^2 in plain C++.
std::pair<double, double> sums(const std::vector<torch::Tensor>& parameters) {
  double absolute = 0;
  double squares = 0;
  for (const auto& parameter : parameters) {
    const auto w = parameter.detach().to(torch::kDouble).contiguous();
    const auto* p = w.const_data_ptr<double>();
    for (std::int64_t i = 0; i < w.numel(); ++i) {
      absolute += std::abs(p[i]);
      squares += p[i] * p[i];
    }
  }
  return {absolute, squares};
}

}  // namespace

TEST_CASE("penalties are the formulas for any size", "[weights]") {
  // Around the blocks of 4096 that are summed one by one, and a sum of such sums.
  const auto size = GENERATE(0, 1, 2, 17, 4095, 4096, 4097, 8192, 12345, 200'000);
  const auto type = GENERATE(torch::kDouble, torch::kFloat, torch::kBFloat16, torch::kHalf);
  const auto w = weights({size}, type);
  const auto [absolute, squares] = sums({w});
  const double bound = type == torch::kDouble ? 1e-13 : 1e-6;
  const auto l1 = rt::l1_penalty({w}, 0.3);
  const auto l2 = rt::l2_penalty({w}, 0.7);
  CHECK(l1.dim() == 0);
  CHECK(l1.scalar_type() == (type == torch::kDouble ? torch::kDouble : torch::kFloat));
  CHECK(l2.scalar_type() == l1.scalar_type());
  CHECK(l1.item<double>() == Approx(0.3 * absolute).epsilon(bound));
  CHECK(l2.item<double>() == Approx(0.7 * squares).epsilon(bound));
  CHECK(rt::elastic_net_penalty({w}, 0.3, 0.7).item<double>() ==
        Approx(0.3 * absolute + 0.7 * squares).epsilon(bound));
}

TEST_CASE("penalties have the gradients of the formulas", "[weights]") {
  const auto type = GENERATE(torch::kDouble, torch::kFloat, torch::kBFloat16, torch::kHalf);
  // 0.25 and 0.5 lose nothing to rounding, in any type: equal, not close.
  const auto matrix = weights({70, 61}, type, 2).requires_grad_();
  const auto filters =
      weights({5, 6, 3, 3}, type, 3).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_();
  const auto strided = weights({9, 14}, type, 4).t().slice(0, 1, 14, 2).requires_grad_();
  const std::vector<torch::Tensor> all{matrix, filters, strided};
  const auto l1 = torch::autograd::grad({rt::l1_penalty(all, 0.25)}, all);
  const auto l2 = torch::autograd::grad({rt::l2_penalty(all, 0.25)}, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(l1[i].scalar_type() == type);
    CHECK(l1[i].equal(0.25 * all[i].sign()));
    CHECK(l2[i].equal(0.5 * all[i]));
  }
  const auto both = torch::autograd::grad({rt::elastic_net_penalty(all, 0.25, 0.5)}, all);
  const double bound = type == torch::kBFloat16 ? 1e-2 : type == torch::kHalf ? 1e-3 : 1e-6;
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(both[i].allclose(0.25 * all[i].sign() + all[i], bound, bound));
  }
  // The gradient of a gradient: 2 * strength.
  const auto first = torch::autograd::grad({rt::l2_penalty({matrix}, 0.25)}, {matrix}, {}, true,
                                           /*create_graph=*/true)[0];
  CHECK(torch::autograd::grad({first.sum()}, {matrix})[0].equal(torch::full_like(matrix, 0.5)));
}

TEST_CASE("penalties are the same bits for any number of threads", "[weights]") {
  const auto type = GENERATE(torch::kFloat, torch::kBFloat16);  // of either way
  const auto w = weights({3000, 101}, type, 5);
  const auto bits = [&](int threads) {
    const Threads scope(threads);
    return std::pair{rt::l1_penalty({w}, 1).item<float>(), rt::l2_penalty({w}, 1).item<float>()};
  };
  const auto one = bits(1);
  for (const int threads : {2, 3, 7, 16}) {
    CHECK(bits(threads) == one);
  }
}

TEST_CASE("penalties of dense weights have the gradients of the formulas", "[weights]") {
  const auto type = GENERATE(torch::kDouble, torch::kFloat);
  std::vector<torch::Tensor> all;
  for (const std::int64_t size : {1, 15, 16, 17, 33, 20'000}) {
    all.push_back(weights({size}, type, static_cast<std::uint64_t>(size)).requires_grad_());
  }
  all.push_back(weights({5, 6, 3, 3}, type, 3)
                    .contiguous(torch::MemoryFormat::ChannelsLast)
                    .requires_grad_());
  all.push_back(weights({7, 3}, type, 4).t().requires_grad_());
  all.push_back(torch::zeros({0}, type).requires_grad_());
  const auto [absolute, squares] = sums(all);
  const double bound = type == torch::kDouble ? 1e-13 : 1e-6;
  const auto l1 = rt::l1_penalty(all, 0.25);
  const auto l2 = rt::l2_penalty(all, 0.25);
  const auto both = rt::elastic_net_penalty(all, 0.25, 0.5);
  CHECK(l1.item<double>() == Approx(0.25 * absolute).epsilon(bound));
  CHECK(l2.item<double>() == Approx(0.25 * squares).epsilon(bound));
  CHECK(both.item<double>() == Approx(0.25 * absolute + 0.5 * squares).epsilon(bound));
  // Twice the same from a graph that is kept, and by the formula; 0.25, 0.5 lose nothing.
  for (int pass = 0; pass < 2; ++pass) {
    const auto of_l1 = torch::autograd::grad({l1}, all, {}, /*retain_graph=*/true);
    const auto of_l2 = torch::autograd::grad({l2 * 2}, all, {}, /*retain_graph=*/true);
    const auto of_both = torch::autograd::grad({both}, all, {}, /*retain_graph=*/true);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(of_l1[i].equal(0.25 * all[i].sign()));
      CHECK(of_l2[i].equal(all[i]));
      CHECK(of_both[i].allclose(0.25 * all[i].sign() + all[i], bound, bound));
      CHECK(of_both[i].scalar_type() == type);
    }
  }
  // Gradients of gradients, through the loss too.
  const auto twice = rt::elastic_net_penalty(all, 0.25, 0.5).square();
  const auto first = torch::autograd::grad({twice}, {all[4]}, {}, true, /*create_graph=*/true)[0];
  const auto second = torch::autograd::grad({first.sum()}, {all[4]})[0];
  const auto w = all[4].detach().clone().requires_grad_();
  std::vector<torch::Tensor> others(all);
  others[4] = w;
  torch::Tensor sum = torch::zeros({}, type);
  for (const auto& other : others) {
    sum = sum + 0.25 * other.abs().sum() + 0.5 * other.square().sum();
  }
  const auto by_aten = torch::autograd::grad({sum.square()}, {w}, {}, true, true)[0];
  CHECK(first.allclose(by_aten, 10 * bound, bound));
  CHECK(second.allclose(torch::autograd::grad({by_aten.sum()}, {w})[0], 10 * bound, bound));
}

TEST_CASE("penalties need no gradients, and see weights that changed in between", "[weights]") {
  const auto plain = weights({100}, torch::kFloat);
  CHECK_FALSE(rt::l2_penalty({plain}, 1).requires_grad());
  const auto w = weights({100}, torch::kFloat).requires_grad_();
  const auto loss = rt::l2_penalty({w, plain}, 1);
  {
    const torch::NoGradGuard no_grad;
    CHECK_FALSE(rt::l2_penalty({w}, 1).requires_grad());
    w.add_(1);
  }
  CHECK(contains(error_of([&] { loss.backward(); }), "modified by an inplace operation"));
  auto twice = rt::l1_penalty({w, w}, 1);  // one that is listed twice counts twice
  twice.backward();
  CHECK(w.grad().equal(2 * w.sign()));
  CHECK_FALSE(plain.grad().defined());
}

TEST_CASE("penalties of weights that are not finite are not", "[weights]") {
  const auto bad = torch::tensor({1.0F, INFINITY});
  CHECK(std::isinf(rt::l1_penalty({bad}, 0.5).item<float>()));
  CHECK(std::isinf(rt::elastic_net_penalty({bad}, 0.5, 0.5).item<float>()));
  CHECK(std::isnan(rt::l2_penalty({torch::tensor({1.0F, NAN})}, 0.5).item<float>()));
}

TEST_CASE("penalties of a module go by its filter", "[weights]") {
  torch::manual_seed(0);
  torch::nn::Linear shared(7, 7);
  torch::nn::Linear frozen(7, 7);
  for (auto& parameter : frozen->parameters()) {
    parameter.requires_grad_(false);
  }
  torch::nn::Sequential model(torch::nn::Conv2d(3, 7, 1), torch::nn::BatchNorm2d(7), shared, frozen,
                              shared);
  const auto filters = model->named_parameters()["0.weight"];
  // By default: two or more dimensions, trainable, each once.
  CHECK(rt::l2_penalty(*model, 0.5).item<double>() ==
        Approx(0.5 * sums({filters, shared->weight}).second).epsilon(1e-6));
  CHECK(rt::l1_penalty(
            {*model, [](const std::string& name,
                        const torch::Tensor&) { return name.find("bias") != std::string::npos; }},
            0.5)
            .item<double>() ==
        Approx(0.5 * sums({model->named_parameters()["0.bias"], model->named_parameters()["1.bias"],
                           shared->bias})
                         .first)
            .epsilon(1e-6));
  // A list made once sees the values of later steps.
  const rt::Parameters kept(*model);
  CHECK(kept.tensors().size() == 2);
  const double before = rt::l2_penalty(kept, 1).item<double>();
  {
    const torch::NoGradGuard no_grad;
    filters.mul_(2);
    shared->weight.mul_(2);
  }
  CHECK(rt::l2_penalty(kept, 1).item<double>() == Approx(4 * before).epsilon(1e-6));
}

TEST_CASE("penalties of mixed types are in the widest", "[weights]") {
  const auto a = weights({33, 2}, torch::kBFloat16).requires_grad_();
  const auto b = weights({4097}, torch::kDouble).requires_grad_();
  const auto loss = rt::l2_penalty({a, b}, 0.5);
  CHECK(loss.scalar_type() == torch::kDouble);
  CHECK(loss.item<double>() == Approx(0.5 * sums({a, b}).second).epsilon(1e-6));
  loss.backward();
  CHECK(a.grad().equal(a));
  CHECK(b.grad().equal(b));
}

TEST_CASE("penalties of L2 train as weight decay of twice the strength", "[weights]") {
  const bool adam = GENERATE(false, true);
  torch::manual_seed(4);
  torch::nn::Linear penalised(5, 3);
  penalised->to(torch::kDouble);
  const auto decayed = std::dynamic_pointer_cast<torch::nn::LinearImpl>(penalised->clone());
  const auto x = torch::randn({8, 5}, torch::kDouble);
  const auto y = torch::randn({8, 3}, torch::kDouble);
  const auto train = [&](auto plain, auto with_decay) {
    for (int step = 0; step < 3; ++step) {
      plain.zero_grad();
      (torch::mse_loss(penalised(x), y) + rt::l2_penalty(penalised->parameters(), 0.05)).backward();
      plain.step();
      with_decay.zero_grad();
      torch::mse_loss(decayed->forward(x), y).backward();
      with_decay.step();
    }
  };
  using namespace torch::optim;
  if (adam) {
    train(Adam(penalised->parameters(), AdamOptions(0.01)),
          Adam(decayed->parameters(), AdamOptions(0.01).weight_decay(0.1)));
  } else {
    train(SGD(penalised->parameters(), SGDOptions(0.1).momentum(0.9)),
          SGD(decayed->parameters(), SGDOptions(0.1).momentum(0.9).weight_decay(0.1)));
  }
  CHECK(penalised->weight.allclose(decayed->weight, 1e-9, 1e-12));
  CHECK(penalised->bias.allclose(decayed->bias, 1e-9, 1e-12));
}

TEST_CASE("penalties train as the formula of the subgradient step", "[weights]") {
  const auto w = weights({4, 3}, torch::kDouble, 8).requires_grad_();
  auto by_hand = w.detach().clone();
  torch::optim::SGD optimizer({w}, torch::optim::SGDOptions(0.1));
  for (int step = 0; step < 2; ++step) {
    optimizer.zero_grad();
    ((w - 1).square().sum() + rt::elastic_net_penalty({w}, 0.3, 0.2)).backward();
    optimizer.step();
    by_hand -= 0.1 * (2 * (by_hand - 1) + 0.3 * by_hand.sign() + 0.4 * by_hand);
    CHECK(w.allclose(by_hand, 1e-12, 1e-14));
  }
}

TEST_CASE("penalties say what is wrong", "[weights]") {
  const auto w = torch::ones({2, 2});
  CHECK(contains(error_of([&] { rt::l1_penalty({w}, -0.5); }),
                 "l1_penalty: wanted a finite strength of at least 0, got -0.5"));
  CHECK(contains(error_of([&] { rt::l2_penalty({w}, NAN); }), "l2_penalty: wanted a finite"));
  CHECK(contains(
      error_of([&] { rt::elastic_net_penalty({w}, 0, std::numeric_limits<double>::infinity()); }),
      "l2_penalty: wanted a finite strength of at least 0, got inf"));
  CHECK(contains(error_of([&] { rt::l1_penalty(std::vector<torch::Tensor>{}, 1); }),
                 "wanted at least one, got none"));
  CHECK(contains(error_of([&] {
                   rt::l1_penalty({w, torch::ones({2}, torch::kLong)}, 1);
                 }),
                 "wanted floating-point tensors, got Long [2] on cpu"));
  CHECK(
      contains(error_of([&] { rt::l1_penalty({torch::Tensor()}, 1); }), "got an undefined tensor"));
  torch::nn::Linear model(2, 2);
  CHECK(contains(error_of([&] {
                   rt::l2_penalty({*model, [](const std::string& name,
                                              const torch::Tensor&) { return name == "wieght"; }},
                                  1);
                 }),
                 "wanted a trainable parameter that the filter keeps, got none among the module's "
                 "2"));
}

}  // namespace penalties_test
