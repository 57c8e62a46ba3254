#include "regtorch/kernels/disturb_label.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"

namespace kernel_disturb_label_test {

using namespace regtorch::kernels;

namespace {

constexpr std::int64_t kIgnore = -100;
const RandomStream kStream{17, 3, 5};

/// The definition: what the word of place i makes of a label.
template <class Label>
Label plain(Label label, std::size_t i, const DisturbRule& rule, std::int64_t keep = kIgnore) {
  const std::uint32_t drawn = rule(kStream.block(i / 128 * 32 + i % 32)[i % 128 / 32]);
  return label == keep || drawn >= rule.classes ? label : static_cast<Label>(drawn);
}

/// Ignored ones among them in every other group of 128: a group without is taken another way.
template <class Label>
std::vector<Label> some_labels(std::size_t size, std::uint32_t classes) {
  std::vector<Label> labels;
  for (std::size_t i = 0; i < size; ++i) {
    const auto label = static_cast<Label>((classes - 1 - i * 7 % classes));
    labels.push_back(i % 11 == 5 && i / 128 % 2 == 0 ? static_cast<Label>(kIgnore) : label);
  }
  return labels;
}

template <class Label>
void check_all_sizes(Isa isa) {
  for (const std::uint32_t classes : {1u, 2u, 10u, 1000u, 0x7FFFFFFFu}) {
    for (const double a : {DisturbRule::least(classes), 0.3, 1.0}) {
      if (a < DisturbRule::least(classes)) {
        continue;
      }
      const auto rule = DisturbRule::make(a, classes);
      for (const std::size_t size : {0u, 1u, 31u, 32u, 33u, 127u, 128u, 129u, 1000u}) {
        const auto in = some_labels<Label>(size, classes);
        std::vector<Label> out(size, -7);
        std::vector<Label> wanted;
        for (std::size_t i = 0; i < size; ++i) {
          wanted.push_back(plain(in[i], i, rule));
        }
        const auto end = static_cast<std::int64_t>(size);
        INFO(to_string(isa) << ", " << classes << " classes, a " << a << ", size " << size);
        REQUIRE(disturb_labels(in.data(), out.data(), 0, end, kIgnore, rule, kStream, isa) == -1);
        REQUIRE(out == wanted);
        if (classes > 3) {  // a class that is left alone
          auto all_classes = in;
          std::replace(all_classes.begin(), all_classes.end(), static_cast<Label>(kIgnore),
                       Label{0});
          for (std::size_t i = 0; i < size; ++i) {
            wanted[i] = plain(all_classes[i], i, rule, 3);
          }
          REQUIRE(disturb_labels(all_classes.data(), out.data(), 0, end, 3, rule, kStream, isa) ==
                  -1);
          REQUIRE(out == wanted);
        }
      }
    }
  }
}

template <class Label>
void check_bad_labels(Isa isa) {
  const auto rule = DisturbRule::make(0.3, 10);
  for (const auto bad : {Label{-1}, Label{10}, std::numeric_limits<Label>::min(),
                         std::numeric_limits<Label>::max()}) {
    for (const std::size_t place : {0u, 31u, 127u, 128u, 299u}) {
      auto in = some_labels<Label>(300, 10);
      in[place] = bad;
      in[299] = bad;  // only the first counts
      std::vector<Label> out(in.size());
      INFO(to_string(isa) << ", label " << bad << " at " << place);
      REQUIRE(disturb_labels(in.data(), out.data(), 0, 300, kIgnore, rule, kStream, isa) ==
              static_cast<std::int64_t>(place));
    }
  }
}

}  // namespace

TEST_CASE("disturb_labels and draw_labels by the definition, on every instruction set",
          "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa > best_isa()) {
      continue;
    }
    check_all_sizes<std::int64_t>(isa);
    check_all_sizes<std::int32_t>(isa);
    const auto rule = DisturbRule::make(0.3, 10);
    for (const std::size_t size : {0u, 1u, 127u, 128u, 129u}) {
      std::vector<std::int64_t> drawn(size, -7);
      draw_labels(drawn.data(), 0, static_cast<std::int64_t>(size), rule, kStream, isa);
      for (std::size_t i = 0; i < size; ++i) {
        REQUIRE(drawn[i] == plain<std::int64_t>(10, i, rule));
      }
    }
  }
}

TEST_CASE("disturb_labels finds the first label that is none, on every instruction set",
          "[kernels]") {
  for (const Isa isa : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (isa <= best_isa()) {
      check_bad_labels<std::int64_t>(isa);
      check_bad_labels<std::int32_t>(isa);
    }
  }
}

TEST_CASE("a piece of an array is disturbed as within the whole", "[kernels]") {
  const auto rule = DisturbRule::make(0.5, 10);
  const auto in = some_labels<std::int64_t>(500, 10);
  std::vector<std::int64_t> whole(500);
  std::vector<std::int64_t> pieces(500);
  disturb_labels(in.data(), whole.data(), 0, 500, kIgnore, rule, kStream, active_isa());
  disturb_labels(in.data(), pieces.data(), 256, 500, kIgnore, rule, kStream, active_isa());
  disturb_labels(in.data(), pieces.data(), 0, 256, kIgnore, rule, kStream, active_isa());
  CHECK(pieces == whole);
}

}  // namespace kernel_disturb_label_test
