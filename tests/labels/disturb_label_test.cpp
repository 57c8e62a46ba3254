#include "regtorch/labels/disturb_label.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "regtorch/labels/directional_disturb_label.hpp"

namespace disturb_label_test {

using rt::testing::contains;
using rt::testing::error_of;

namespace {

/// The definition, one label at a time: word (i % 128) / 32 of block 32 * (i / 128) + i % 32 stands
/// for a number in [0, 1), and that, times C / a, for a class or "keep".
std::vector<std::int64_t> plain(const std::vector<std::int64_t>& labels, double alpha,
                                std::int64_t classes, std::uint64_t seed, std::uint32_t call) {
  const rt::kernels::RandomStream stream{seed, call,
                                         static_cast<std::uint32_t>(rt::Purpose::kDisturbLabel)};
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::uint32_t word = stream.block(i / 128 * 32 + i % 32)[i % 128 / 32];
    const double drawn =
        std::floor(word / 4294967296.0 * (static_cast<double>(classes) / (alpha / 100)));
    result.push_back(drawn < static_cast<double>(classes) ? static_cast<std::int64_t>(drawn)
                                                          : labels[i]);
  }
  return result;
}

std::vector<std::int64_t> numbers(const torch::Tensor& t) {
  const auto flat = t.to(torch::kLong).contiguous().flatten();
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}

rt::DisturbLabel seeded(double alpha, std::int64_t classes, std::uint64_t seed) {
  return rt::DisturbLabel(rt::DisturbLabelOptions(alpha, classes).seed(seed));
}

}  // namespace

TEST_CASE("DisturbLabel: each label by the definition, two calls, all sizes", "[labels]") {
  for (const std::int64_t classes : {1, 2, 3, 10, 1000}) {
    for (const double alpha : {0.5, 30.0, 99.0, 100.0}) {
      for (const std::int64_t size : {0, 1, 31, 32, 33, 127, 128, 129, 1000, 40000}) {
        auto disturb = seeded(alpha, classes, 17);
        const auto labels = torch::arange(size, torch::kLong).remainder(classes);
        for (const std::uint32_t call : {0u, 1u}) {
          REQUIRE(numbers(disturb(labels)) == plain(numbers(labels), alpha, classes, 17, call));
        }
      }
    }
  }
}

TEST_CASE("DisturbLabel: probabilities() and what really happens agree", "[labels]") {
  const std::int64_t n = 1'000'000;
  for (const std::int64_t classes : {2, 3, 10, 100, 1000}) {
    for (const double alpha : {0.5, 1.0, 10.0, 20.0, 30.0, 50.0, 100.0}) {
      const auto c = static_cast<double>(classes);
      auto disturb = seeded(alpha, classes, 3);
      const auto p = disturb->probabilities();
      REQUIRE(p.same == Approx(1 - (c - 1) / c * alpha / 100).epsilon(1e-12));
      REQUIRE(p.other == Approx(alpha / (100 * c)).epsilon(1e-12));
      const std::int64_t truth = classes - 1;
      const auto counts =
          torch::bincount(disturb(torch::full({n}, truth, torch::kLong)), {}, classes);
      double chi_square = 0;
      for (std::int64_t k = 0; k < classes; ++k) {
        const double expected = static_cast<double>(n) * (k == truth ? p.same : p.other);
        const double off = counts[k].item<double>() - expected;
        chi_square += off * off / expected;
      }
      // classes - 1 degrees of freedom; mean + 6 standard deviations has a p-value below 1e-4.
      INFO("classes " << classes << " alpha " << alpha);
      REQUIRE(chi_square < (c - 1) + 6 * std::sqrt(2 * (c - 1)) + 8);
    }
  }
}

TEST_CASE("DisturbLabel: the words of one group and of one call are all different ones",
          "[labels]") {
  // alpha 100 with 2^30 classes shows the words themselves: no two of 4,096 should meet often.
  auto disturb = seeded(100, std::int64_t{1} << 30, 5);
  const auto zeros = torch::zeros({4096}, torch::kLong);
  const auto both = torch::cat({disturb(zeros), disturb(zeros)});
  const auto unique = std::get<0>(at::_unique2(both));
  REQUIRE(unique.numel() >= 8192 - 2);  // expected collisions: 8192^2 / 2^31 = 0.03
}

TEST_CASE("DisturbLabel: the rule's boundaries are within 2^-31 of the formula", "[labels]") {
  for (const std::uint32_t classes : {1u, 2u, 7u, 10u, 1000u, 50257u}) {
    for (const double share : {1e-4, 0.1, 0.3, 1.0 / 3, 0.999999, 1.0}) {
      const auto rule = rt::kernels::DisturbRule::make(share, classes);
      for (const std::uint32_t k : {1u, classes / 2, classes}) {
        // The least word that is drawn as class k or more, by bisection: the rule is monotonic.
        std::uint64_t low = 0;
        std::uint64_t high = std::uint64_t{1} << 32;
        while (low < high) {
          const std::uint64_t middle = (low + high) / 2;
          (rule(static_cast<std::uint32_t>(middle)) >= k ? high : low) =
              rule(static_cast<std::uint32_t>(middle)) >= k ? middle : middle + 1;
        }
        const double wanted = share * k / classes * 4294967296.0;
        REQUIRE(std::abs(static_cast<double>(low) - wanted) <= 2.0);
      }
    }
  }
}

TEST_CASE("DisturbLabel: alpha 0 and eval mode change nothing", "[labels]") {
  const auto labels = torch::arange(100, torch::kLong).remainder(10);
  REQUIRE(rt::DisturbLabel(0, 10)(labels).is_same(labels));
  rt::DisturbLabel disturb(100, 10);
  disturb->eval();
  REQUIRE(disturb(labels).is_same(labels));
  disturb->train();
  const auto before = labels.clone();
  REQUIRE_FALSE(disturb(labels).equal(labels));
  REQUIRE(labels.equal(before));
}

TEST_CASE("DisturbLabel: shapes, strides and int32", "[labels]") {
  const auto labels = torch::arange(7 * 9 * 5, torch::kLong).remainder(10).view({7, 9, 5});
  const auto flat = seeded(50, 10, 1)(labels.flatten());
  REQUIRE(seeded(50, 10, 1)(labels).equal(flat.view({7, 9, 5})));
  const auto strided = labels.permute({2, 0, 1});
  REQUIRE(seeded(50, 10, 1)(strided).equal(seeded(50, 10, 1)(strided.contiguous())));
  const auto narrow = seeded(50, 10, 1)(labels.to(torch::kInt));
  REQUIRE(narrow.scalar_type() == torch::kInt);
  REQUIRE(narrow.to(torch::kLong).equal(flat.view({7, 9, 5})));
  REQUIRE(seeded(50, 10, 1)(labels.flatten()[0]).dim() == 0);
}

TEST_CASE("DisturbLabel: any number of threads, the same labels", "[labels]") {
  const auto labels = torch::randint(10, {100'003}, torch::kLong);
  torch::Tensor one;
  {
    const rt::testing::Threads threads(1);
    one = seeded(30, 10, 9)(labels);
  }
  const rt::testing::Threads threads(2);
  REQUIRE(seeded(30, 10, 9)(labels).equal(one));
}

TEST_CASE("DisturbLabel: without a seed torch::manual_seed governs", "[labels]") {
  const auto labels = torch::zeros({200}, torch::kLong);
  rt::DisturbLabel disturb(50, 10);
  torch::manual_seed(4);
  const auto first = disturb(labels);
  const auto second = disturb(labels);
  REQUIRE_FALSE(first.equal(second));
  torch::manual_seed(4);
  REQUIRE(disturb(labels).equal(first));
  REQUIRE(disturb(labels).equal(second));
}

TEST_CASE("DisturbLabel: ignored labels stay, others out of range are named", "[labels]") {
  auto labels = torch::full({300}, 3, torch::kLong);
  labels.slice(0, 0, 300, 2).fill_(-100);
  const auto disturbed = seeded(100, 10, 2)(labels);
  REQUIRE(disturbed.slice(0, 0, 300, 2).eq(-100).all().item<bool>());
  REQUIRE_FALSE(disturbed.slice(0, 1, 300, 2).eq(3).all().item<bool>());
  for (const std::int64_t wrong : {-1, 10, 1'000'000}) {
    labels[257] = wrong;
    const auto message = error_of([&] { seeded(30, 10, 2)(labels); });
    REQUIRE(contains(message, "wanted labels in [0, 10) or -100"));
    REQUIRE(contains(message, "got " + std::to_string(wrong) + " at place 257"));
  }
  const auto first_of_many = torch::full({60000}, 10, torch::kLong);
  first_of_many.slice(0, 0, 140).fill_(1);
  REQUIRE(contains(error_of([&] { seeded(30, 10, 2)(first_of_many); }), "got 10 at place 140"));
  REQUIRE(contains(error_of([&] {
                     rt::DisturbLabel(rt::DisturbLabelOptions(30, 10).ignore_index(
                         std::int64_t{1} << 32))(torch::zeros({3}, torch::kInt));
                   }),
                   "fits Int labels"));
  labels[257] = 255;
  REQUIRE_NOTHROW(rt::DisturbLabel(rt::DisturbLabelOptions(30, 10).ignore_index(255))(
      labels.masked_fill(labels.eq(-100), 255)));
}

TEST_CASE("DisturbLabel: ATen's composition for other devices gives the same labels", "[labels]") {
  for (const double alpha : {5.0, 30.0, 100.0}) {
    for (const std::int64_t size : {0, 1, 4, 127, 128, 129, 1000}) {
      for (const std::int64_t ignore_index : {-100, 10, 3}) {
        auto labels = torch::arange(size, torch::kLong).remainder(10);
        labels.slice(0, 0, size, 7).fill_(ignore_index);
        rt::DisturbLabel disturb(
            rt::DisturbLabelOptions(alpha, 10).seed(6).ignore_index(ignore_index));
        const auto by_aten = [&](const torch::Tensor& of) {
          return rt::detail::disturbed_by_aten(of, rt::kernels::DisturbRule::make(alpha / 100, 10),
                                               ignore_index,
                                               rt::Key{6}.stream(rt::Purpose::kDisturbLabel));
        };
        const auto wanted = disturb(labels);
        REQUIRE(by_aten(labels).equal(wanted));
        REQUIRE(by_aten(labels.to(torch::kInt)).equal(wanted.to(torch::kInt)));
      }
    }
  }
}

TEST_CASE("DisturbLabel: the least alpha leaves nearly all labels alone", "[labels]") {
  for (const std::uint32_t classes : {1u, 2u, 10u, 1000u}) {
    const double least = rt::kernels::DisturbRule::least(classes);
    const auto rule = rt::kernels::DisturbRule::make(least, classes);
    CHECK(rule.shift < 32);
    // Of the 2^32 words only the first few stand for a class.
    CHECK(rule(2 * classes + 2) >= classes);
    CHECK(rule(0xFFFFFFFFu) >= classes);
    const auto labels = torch::zeros({10000}, torch::kLong);
    CHECK(seeded(100 * least * (1 + 1e-12), classes, 1)(labels).equal(labels));
  }
}

TEST_CASE("DisturbLabel: bad arguments are named", "[labels]") {
  REQUIRE(contains(error_of([] { rt::DisturbLabel(-1, 10); }), "got -1"));
  REQUIRE(contains(error_of([] { rt::DisturbLabel(100.5, 10); }), "got 100.5"));
  REQUIRE(contains(error_of([] { rt::DisturbLabel(std::nan(""), 10); }), "got nan"));
  REQUIRE(
      contains(error_of([] { rt::DisturbLabel(1e-9, 10); }), "wanted alpha to be 0 or at least"));
  REQUIRE(contains(error_of([] { rt::DisturbLabel(30, 0); }), "num_classes"));
  REQUIRE(contains(error_of([] { rt::DisturbLabel(30, 10)(torch::zeros({3})); }), "got Float [3]"));
  REQUIRE(contains(error_of([] { rt::DisturbLabel(30, 10)(torch::Tensor()); }), "undefined"));
}

TEST_CASE("DisturbLabel: prints and clones", "[labels]") {
  auto disturb = seeded(30, 10, 2);
  REQUIRE(c10::str(disturb) == "regtorch::DisturbLabel(alpha=30, num_classes=10)");
  const auto labels = torch::zeros({100}, torch::kLong);
  auto copy = rt::DisturbLabel(std::dynamic_pointer_cast<rt::DisturbLabelImpl>(disturb->clone()));
  REQUIRE(copy(labels).equal(disturb(labels)));
}

TEST_CASE("DirectionalDisturbLabel: only the sure ones, by the formula", "[labels]") {
  torch::manual_seed(1);
  const auto logits = torch::randn({500, 10}) * 2;
  const auto labels = torch::randint(10, {500}, torch::kLong);
  rt::DirectionalDisturbLabel directional(rt::DisturbLabelOptions(100, 10).seed(8));
  const auto disturbed = seeded(100, 10, 8)(labels);
  const auto result = directional(labels, logits);
  int sure = 0;
  for (std::int64_t i = 0; i < 500; ++i) {
    double sum = 0;
    double squares = 0;
    for (std::int64_t c = 0; c < 10; ++c) {
      sum += std::exp(logits[i][c].item<double>());
    }
    for (std::int64_t c = 0; c < 10; ++c) {
      squares += std::pow(std::exp(logits[i][c].item<double>()) / sum, 2);
    }
    const auto label = labels[i].item<std::int64_t>();
    const double p = std::exp(logits[i][label].item<double>()) / sum / std::sqrt(squares);
    REQUIRE(std::abs(p - 0.5) > 1e-5);  // no label so near the edge that rounding could decide
    sure += p > 0.5 ? 1 : 0;
    REQUIRE(result[i].item<std::int64_t>() ==
            (p > 0.5 ? disturbed[i] : labels[i]).item<std::int64_t>());
  }
  REQUIRE(sure > 50);
  REQUIRE(sure < 450);
  directional->eval();
  REQUIRE(directional(labels, logits).is_same(labels));
}

TEST_CASE("DirectionalDisturbLabel: maps, half types, gradients, errors", "[labels]") {
  torch::manual_seed(2);
  const auto logits = torch::randn({4, 10, 6, 5});
  const auto labels = torch::randint(10, {4, 6, 5}, torch::kLong);
  const auto make = [] {
    return rt::DirectionalDisturbLabel(rt::DisturbLabelOptions(100, 10).seed(8));
  };
  // The place of a label in memory decides what it becomes: compare with the labels as a list.
  const auto as_rows = logits.permute({0, 2, 3, 1}).reshape({-1, 10});
  REQUIRE(make()(labels, logits).flatten().equal(make()(labels.flatten(), as_rows)));
  const auto sure = (torch::one_hot(labels, 10) * 20).movedim(-1, 1).to(torch::kBFloat16);
  REQUIRE(make()(labels, sure).equal(seeded(100, 10, 8)(labels)));
  const auto with_void = torch::tensor({1, 255, 3}, torch::kLong);
  const auto kept = rt::DirectionalDisturbLabel(rt::DisturbLabelOptions(30, 10).ignore_index(255))(
      with_void, torch::randn({3, 10}));
  CHECK(kept[1].item<std::int64_t>() == 255);
  auto leaf = torch::randn({3, 10}, torch::requires_grad());
  const auto few = torch::zeros({3}, torch::kLong);
  REQUIRE_FALSE(make()(few, leaf).requires_grad());
  REQUIRE(contains(error_of([&] { make()(few, torch::zeros({3, 9})); }), "[N, 10, ...]"));
  REQUIRE(contains(error_of([&] { make()(few, torch::zeros({2, 10})); }), "got Long [3]"));
}

TEST_CASE("DirectionalDisturbLabel goes on from its state", "[labels]") {
  const auto make = [] {
    return rt::DirectionalDisturbLabel(rt::DisturbLabelOptions(100, 10).seed(8));
  };
  const auto labels = torch::arange(1000, torch::kLong) % 10;
  const auto logits = 9 * torch::one_hot(labels, 10).to(torch::kFloat);  // sure of all of them
  auto first = make();
  const auto of_call_0 = first(labels, logits);
  auto second = make();
  second->load_state_dict(first->state_dict());
  const auto of_call_1 = first(labels, logits);
  CHECK(second(labels, logits).equal(of_call_1));
  CHECK_FALSE(of_call_1.equal(of_call_0));
  CHECK_THROWS_AS(second->load_state_dict(rt::TensorDict()), c10::Error);
}

}  // namespace disturb_label_test
