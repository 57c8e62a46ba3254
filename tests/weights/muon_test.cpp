#include "regtorch/weights/muon.hpp"

#include <cmath>
#include <sstream>
#include <vector>

#include "catch.hpp"
#include "regtorch/training/linear_lr.hpp"
#include "regtorch/weights/parameter_groups.hpp"

namespace muon_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using Shape = std::vector<std::int64_t>;

namespace {

torch::Tensor randn(const Shape& shape, std::uint64_t seed) {
  return torch::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), torch::kDouble);
}

/// The formula, with matrix products alone.
torch::Tensor plain_newton_schulz(torch::Tensor x, int steps) {
  const bool tall = x.size(0) > x.size(1);
  x = (tall ? x.t() : x) / std::max(x.pow(2).sum().sqrt().item<double>(), 1e-7);
  for (int step = 0; step < steps; ++step) {
    const auto a = x.mm(x.t());
    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a.mm(a)).mm(x);
  }
  return tall ? x.t() : x;
}

/// A parameter and the gradients of its steps.
struct Case {
  torch::Tensor parameter;
  std::vector<torch::Tensor> gradients;
};
Case make_case(const Shape& shape, torch::ScalarType dtype) {
  Case made{randn(shape, 1).to(dtype).requires_grad_(), {}};
  for (std::uint64_t step = 0; step < 3; ++step) {
    made.gradients.push_back(randn(shape, 2 + step).to(dtype));
  }
  return made;
}
void take_step(rt::Muon& muon, torch::Tensor& parameter, const torch::Tensor& gradient) {
  parameter.mutable_grad() = gradient;
  muon.step();
}

}  // namespace

TEST_CASE("newton_schulz is its formula", "[weights]") {
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 7}, Shape{7, 1}, Shape{8, 8}, Shape{24, 64},
                             Shape{64, 27}, Shape{33, 31}}) {
    for (const int steps : {0, 1, 3, 5}) {
      const auto g = randn(shape, 1);
      const auto wanted = plain_newton_schulz(g, steps);
      const auto got = rt::newton_schulz(g, steps, 1e-7, torch::kDouble);
      CHECK(got.sizes() == g.sizes());
      CHECK(got.allclose(wanted, 1e-10, 1e-12));
      CHECK(rt::newton_schulz(g.t().contiguous().t(), steps, 1e-7, torch::kDouble)
                .allclose(wanted, 1e-10, 1e-12));
      // Elements are at most 1.3, and each step rounds some dozen times, to 2^-9 of them.
      const auto rounded = rt::newton_schulz(g.to(torch::kFloat), steps);
      CHECK(rounded.scalar_type() == torch::kBFloat16);
      CHECK((rounded.to(torch::kDouble) - wanted).abs().max().item<double>() <=
            (1 + 12 * steps) * 0x1p-9);
    }
  }
  CHECK(rt::newton_schulz(torch::zeros({3, 4})).eq(0).all().item<bool>());
}

TEST_CASE("newton_schulz brings singular values near 1", "[weights]") {
  // Of chosen singular values, from 1 down to 0.005 of the norm.
  const auto u = std::get<0>(torch::linalg_qr(randn({40, 6}, 1)));
  const auto v = std::get<0>(torch::linalg_qr(randn({50, 6}, 2)));
  const auto s = torch::tensor({1.0, 0.5, 0.1, 0.05, 0.01, 0.006}, torch::kDouble);
  const auto got = rt::newton_schulz(u.mul(s).mm(v.t()), 5, 1e-7, torch::kDouble);
  const auto singular = torch::linalg_svdvals(got).slice(0, 0, 6);
  CHECK(singular.min().item<double>() >= 0.68);
  CHECK(singular.max().item<double>() <= 1.21);
  // The singular vectors stay: in their coordinates the matrix is diagonal.
  const auto inside = u.t().mm(got).mm(v);
  CHECK((inside - inside.diag().diag()).abs().max().item<double>() < 1e-10);
}

TEST_CASE("Muon's steps are its formula", "[weights]") {
  using rt::MuonRate;
  for (const Shape& shape : {Shape{6, 4}, Shape{4, 6}, Shape{64, 24, 3, 3}, Shape{3, 64, 1, 2}}) {
    const double rows = static_cast<double>(shape[0]);
    const auto columns = static_cast<double>(c10::multiply_integers(shape)) / rows;
    for (const bool nesterov : {false, true}) {
      for (const bool normalize : {false, true}) {
        for (const MuonRate rate :
             {MuonRate::kPlain, MuonRate::kOriginal, MuonRate::kMatchRmsAdamW}) {
          CAPTURE(shape, nesterov, normalize, static_cast<int>(rate));
          auto [parameter, gradients] = make_case(shape, torch::kDouble);
          if (shape.size() == 4) {
            parameter = parameter.detach()
                            .to(torch::kDouble, false, true, torch::MemoryFormat::ChannelsLast)
                            .requires_grad_();
          }
          const double lr = 0.1;
          rt::Muon muon({parameter}, rt::MuonOptions(lr)
                                         .weight_decay(0.2)
                                         .momentum(0.6)
                                         .nesterov(nesterov)
                                         .normalize_weights(normalize)
                                         .rate(rate));
          auto p = parameter.detach().clone().contiguous();
          auto buffer = torch::zeros_like(p);
          for (const auto& g : gradients) {
            buffer = 0.6 * buffer + 0.4 * g;
            const auto direction = nesterov ? 0.4 * g + 0.6 * buffer : buffer;
            if (normalize) {
              p = p * std::sqrt(rows) / p.pow(2).sum().sqrt();
            }
            const double factor = rate == MuonRate::kPlain ? 1.0
                                  : rate == MuonRate::kOriginal
                                      ? std::sqrt(std::max(1.0, rows / columns))
                                      : 0.2 * std::sqrt(std::max(rows, columns));
            const auto before = p * (1 - lr * 0.2);
            p = before -
                lr * factor *
                    plain_newton_schulz(direction.reshape({shape[0], -1}), 5).reshape(shape);
            take_step(muon, parameter, g);
            // The direction is made in bfloat16: see above for its rounding.
            CHECK((parameter.detach() - p).abs().max().item<double>() <= lr * factor * 61 * 0x1p-9);
            // And it is not the direction alone that agrees.
            CHECK((parameter.detach() - before).abs().max().item<double>() >
                  lr * factor * 61 * 0x1p-9);
            p = parameter.detach().clone().contiguous();
          }
        }
      }
    }
  }
}

TEST_CASE("Muon takes each type, and leaves what has no gradient alone", "[weights]") {
  for (const auto dtype : {torch::kDouble, torch::kFloat, torch::kBFloat16, torch::kHalf}) {
    auto [parameter, gradients] = make_case({16, 12}, dtype);
    auto other = torch::ones({3, 3}, torch::requires_grad());
    auto empty = torch::empty({0, 3}, torch::requires_grad());
    empty.mutable_grad() = torch::empty({0, 3});
    rt::Muon muon({other, parameter, empty}, rt::MuonOptions(0.1));
    const auto before = parameter.detach().clone();
    take_step(muon, parameter, gradients[0]);
    CHECK(parameter.scalar_type() == dtype);
    CHECK(parameter.isfinite().all().item<bool>());
    CHECK_FALSE(parameter.equal(before));
    CHECK(other.eq(1).all().item<bool>());
    CHECK(muon.state().count(other.unsafeGetTensorImpl()) == 0);
  }
}

TEST_CASE("Muon goes on from a file bit for bit", "[weights]") {
  auto [parameter, gradients] = make_case({8, 3, 3, 3}, torch::kFloat);
  const auto options = rt::MuonOptions(0.1).momentum(0.7).ns_steps(3).rate(rt::MuonRate::kPlain);
  rt::Muon muon({parameter}, options);
  take_step(muon, parameter, gradients[0]);
  std::stringstream file;
  torch::save(muon, file);
  auto copy = parameter.detach().clone().requires_grad_();
  rt::Muon loaded({copy}, rt::MuonOptions(9).nesterov(false).normalize_weights(true));
  torch::load(loaded, file);
  for (int step = 1; step < 3; ++step) {
    take_step(muon, parameter, gradients[static_cast<std::size_t>(step)]);
    take_step(loaded, copy, gradients[static_cast<std::size_t>(step)]);
    CHECK(parameter.equal(copy));
  }
}

TEST_CASE("Muon stands wherever an optimizer does", "[weights]") {
  auto a = torch::ones({2, 2}, torch::requires_grad());
  auto b = torch::ones({2, 2}, torch::requires_grad());
  auto muon = rt::with_parameter_groups<rt::Muon>(std::vector<rt::ParameterGroup<rt::MuonOptions>>{
      {{a}, rt::MuonOptions(0.5).weight_decay(0)}, {{b}, rt::MuonOptions(0.25)}});
  rt::LinearLR schedule(muon, rt::LinearLROptions().start_factor(0.5).total_iters(2));
  CHECK(muon.param_groups()[0].options().get_lr() == 0.25);
  CHECK(muon.param_groups()[1].options().get_lr() == 0.125);
  bool with_gradients = false;
  const auto loss = muon.step([&] {
    with_gradients = at::GradMode::is_enabled();
    muon.zero_grad();
    const auto value = (a * b).sum();
    value.backward();
    return value;
  });
  CHECK(with_gradients);
  CHECK(loss.item<double>() == 4);
  // A matrix of equal numbers has one direction, which 5 steps bring to 1: x of norm 1, by the
  // polynomial alone.
  double x = 1;
  for (int step = 0; step < 5; ++step) {
    x = 3.4445 * x - 4.7750 * std::pow(x, 3) + 2.0315 * std::pow(x, 5);
  }
  CHECK(a.detach().sub(1 - 0.25 * x / 2).abs().max().item<double>() <= 0.25 * 61 * 0x1p-9);
  CHECK(b.detach().sub(1 - 0.125 * 0.1 - 0.125 * x / 2).abs().max().item<double>() <=
        0.125 * 61 * 0x1p-9);
}

TEST_CASE("Muon says what is wrong", "[weights]") {
  const auto error = [](const torch::Tensor& parameter, const rt::MuonOptions& options) {
    CHECK_THROWS_AS(rt::Muon({parameter}, options), c10::ValueError);
    return error_of([&] { rt::Muon({parameter}, options); });
  };
  const auto matrix = torch::zeros({2, 3});
  const rt::MuonOptions good;
  CHECK(
      contains(error(torch::zeros({3}), good),
               "Muon: wanted floating-point parameters of two dimensions or more, got Float [3]"));
  CHECK(contains(error(torch::zeros({2, 2}, torch::kLong), good), "got Long [2, 2]"));
  CHECK(contains(error(matrix, rt::MuonOptions(-1)), "a learning rate of at least 0, got -1"));
  CHECK(contains(error(matrix, rt::MuonOptions(NAN)), "got nan"));
  CHECK(contains(error(matrix, rt::MuonOptions().weight_decay(-1)), "weight_decay of at least 0"));
  CHECK(contains(error(matrix, rt::MuonOptions().momentum(1)), "a momentum in [0, 1), got 1"));
  CHECK(contains(error(matrix, rt::MuonOptions().ns_steps(-1)), "ns_steps and eps of at least 0"));
  CHECK(contains(error_of([] {
                   rt::newton_schulz(torch::zeros({2, 2, 2}));
                 }),
                 "newton_schulz: wanted a floating-point matrix, got Float [2, 2, 2]"));
  CHECK(contains(error_of([&] { rt::newton_schulz(matrix, -1); }), "got -1"));

  auto parameter = matrix.clone().requires_grad_();
  rt::Muon muon({parameter});
  muon.add_param_group(torch::optim::OptimizerParamGroup({torch::zeros({3})}));
  CHECK(contains(error_of([&] { muon.step(); }), "two dimensions or more, got Float [3]"));
}

}  // namespace muon_test
