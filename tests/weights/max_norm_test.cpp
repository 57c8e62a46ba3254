#include "regtorch/weights/max_norm.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"

namespace max_norm_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::Threads;

namespace {

/// Filters with norms from well below 1 to well above.
torch::Tensor filters(const std::vector<std::int64_t>& shape, torch::Dtype type) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{6});
  auto w = torch::randn(shape, generator);
  const auto scales = torch::linspace(0.05, 3, shape[0]);
  w *= scales.view({-1, 1}) / w.flatten(1).norm(2, 1, true).clamp_min(1e-3);
  return w.to(type);
}

}  // namespace

TEST_CASE("max_norm_ scales the filters above the limit and no other", "[weights]") {
  const auto type = GENERATE(torch::kDouble, torch::kFloat, torch::kBFloat16, torch::kHalf);
  const bool channels_last = GENERATE(false, true);
  const double bound = type == torch::kBFloat16 ? 8e-3
                       : type == torch::kHalf   ? 1e-3
                       : type == torch::kFloat  ? 1e-6
                                                : 3e-7;  // by the 1e-7 of the formula
  auto w = filters({13, 45}, type);
  if (channels_last) {
    w = w.view({13, 5, 3, 3}).contiguous(torch::MemoryFormat::ChannelsLast);
  }
  w.requires_grad_();
  const auto before = w.detach().clone();
  rt::max_norm_({w}, 1);
  CHECK(w.strides() == before.strides());
  CHECK(w.requires_grad());
  CHECK(w.is_leaf());
  int scaled = 0;
  for (std::int64_t k = 0; k < 13; ++k) {
    const auto old = before[k].to(torch::kDouble).contiguous();
    double squares = 0;
    for (std::int64_t i = 0; i < 45; ++i) {
      const double value = old.const_data_ptr<double>()[i];
      squares += value * value;
    }
    const double norm = std::sqrt(squares);
    if (norm > 1) {
      ++scaled;
      CHECK(w[k].to(torch::kDouble).allclose(old / norm, bound, 0));
      CHECK(w[k].to(torch::kDouble).norm().item<double>() <= 1 + bound);
    } else {
      CHECK(w[k].equal(before[k]));
    }
  }
  CHECK(scaled >= 7);
  CHECK(scaled <= 11);
}

TEST_CASE("max_norm_ takes any shape of two or more dimensions", "[weights]") {
  const std::vector<std::int64_t> shape =
      GENERATE(std::vector<std::int64_t>{1, 1}, std::vector<std::int64_t>{1, 40},
               std::vector<std::int64_t>{17, 1}, std::vector<std::int64_t>{4, 33},
               std::vector<std::int64_t>{3, 2, 5}, std::vector<std::int64_t>{3, 1, 2, 2, 2},
               std::vector<std::int64_t>{0, 4}, std::vector<std::int64_t>{4, 0});
  auto w = torch::full(shape, 2.0);
  rt::max_norm_({w}, 0.5);
  const double size = shape[0] == 0 ? 1 : static_cast<double>(w.numel() / shape[0]);
  CHECK(w.allclose(torch::full(shape, 0.5 / std::sqrt(std::max(size, 1.0))), 1e-6, 0));
  // Of a transposed weight a filter is not in one piece.
  auto transposed = torch::full({8, 6}, 2.0).t();
  rt::max_norm_({transposed}, 1);
  CHECK(transposed.allclose(torch::full({6, 8}, 1 / std::sqrt(8.0)), 1e-6, 0));
  // Many at once, filters that end in the next block among them.
  const std::vector<torch::Tensor> all{torch::full({3, 10'000}, 2.0), torch::full({5, 7}, 2.0),
                                       torch::full({2, 50'000}, 2.0), torch::full({9, 1}, 0.25)};
  rt::max_norm_(all, 0.5);
  for (const auto& each : {all[0], all[1], all[2]}) {
    CHECK(each.allclose(torch::full_like(each, 0.5 / std::sqrt(static_cast<double>(each.size(1)))),
                        1e-6, 0));
  }
  CHECK(all[3].equal(torch::full({9, 1}, 0.25)));
  // A view: the elements beside it stay as they are.
  auto whole = torch::full({6, 8}, 2.0);
  rt::max_norm_({whole.slice(1, 0, 8, 2)}, 1);
  CHECK(whole.slice(1, 0, 8, 2).allclose(torch::full({6, 4}, 0.5), 1e-6, 0));
  CHECK(whole.slice(1, 1, 8, 2).equal(torch::full({6, 4}, 2.0)));
}

TEST_CASE("max_norm_ bounds a module's weights after each step", "[weights]") {
  torch::manual_seed(1);
  torch::nn::Sequential model(torch::nn::Conv2d(2, 4, 3), torch::nn::BatchNorm2d(4),
                              torch::nn::Flatten(), torch::nn::Linear(16, 3));
  model->to(torch::kDouble);
  const auto named = model->named_parameters();
  named["1.weight"].data().fill_(5);
  named["3.bias"].data().fill_(5);
  const auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(model->clone());
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.5).momentum(0.9));
  torch::optim::SGD plain(copy->parameters(), torch::optim::SGDOptions(0.5).momentum(0.9));
  const auto x = torch::randn({6, 2, 4, 4}, torch::kDouble);
  const auto y = torch::randint(0, 3, {6});
  int scaled = 0;
  for (int step = 0; step < 2; ++step) {
    for (auto* one : {model.get(), copy.get()}) {
      one->zero_grad();
      torch::cross_entropy_loss(one->forward(x), y).backward();
    }
    optimizer.step();
    rt::max_norm_(*model, 0.5);
    plain.step();
    const torch::NoGradGuard no_grad;
    for (const auto& entry : copy->named_parameters()) {
      auto w = entry.value();
      for (std::int64_t k = 0; w.dim() >= 2 && k < w.size(0); ++k) {
        const double norm = std::sqrt(w[k].square().sum().item<double>());
        if (norm > 0.5) {
          ++scaled;
          w[k] *= 0.5 / (norm + 1e-7);
        }
      }
      CHECK(named[entry.key()].allclose(w, 1e-10, 1e-12));
    }
  }
  CHECK(scaled > 0);
}

TEST_CASE("max_norm_ goes by the filter and leaves frozen parameters", "[weights]") {
  torch::nn::Sequential model(torch::nn::Linear(3, 3), torch::nn::Linear(3, 3),
                              torch::nn::Linear(3, 3));
  const auto named = model->named_parameters();
  for (const auto& entry : named) {
    entry.value().data().fill_(1);
  }
  named["2.weight"].requires_grad_(false);
  const auto ones = torch::ones({3, 3});
  rt::max_norm_(
      {*model, [](const std::string& name, const torch::Tensor&) { return name == "1.weight"; }},
      1);
  CHECK(named["0.weight"].equal(ones));
  CHECK(named["1.weight"].allclose(ones / std::sqrt(3), 1e-6));
  rt::max_norm_(*model, 1);
  CHECK(named["0.weight"].allclose(ones / std::sqrt(3), 1e-6));
  CHECK(named["2.weight"].equal(ones));
  CHECK(named["0.bias"].equal(torch::ones({3})));
}

TEST_CASE("max_norm_ gives the same bits for any number of threads", "[weights]") {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{300, 401}, {2, 60'001}, {1, 200'003}}) {
    const auto run = [&](int threads) {
      const Threads scope(threads);
      auto w = filters(shape, torch::kFloat);
      w *= 3;
      rt::max_norm_({w}, 0.1);
      return w;
    };
    const auto one = run(1);
    for (const int threads : {2, 3, 7}) {
      CAPTURE(shape, threads);
      CHECK(run(threads).equal(one));
    }
  }
}

TEST_CASE("max_norm_ says what is wrong and changes nothing", "[weights]") {
  auto w = torch::full({2, 2}, 3.0);
  for (const double bad : {0.0, -1.0, static_cast<double>(NAN)}) {
    CHECK(contains(error_of([&] { rt::max_norm_({w}, bad); }),
                   "max_norm_: wanted a max_norm above 0, got"));
  }
  CHECK(contains(error_of([&] {
                   rt::max_norm_({w, torch::ones({4})}, 1);
                 }),
                 "wanted parameters of two or more dimensions, got Float [4] on cpu"));
  CHECK(w.equal(torch::full({2, 2}, 3.0)));
}

}  // namespace max_norm_test
