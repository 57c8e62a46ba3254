#include "regtorch/core/state_values.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

namespace state_values_test {

using regtorch::detail::StateReader;
using regtorch::detail::to_tensor;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using Texts = std::vector<std::string>;

namespace {

rt::TensorDict state_of(const torch::Tensor& tensor) {
  rt::TensorDict state;
  state.insert("texts", tensor);
  return state;
}

}  // namespace

TEST_CASE("texts come back from a state as they went in", "[core]") {
  for (const Texts& texts : {Texts{}, Texts{""}, Texts{"", ""}, Texts{"loss", "", "Maß, 損失\n"}}) {
    const auto state = state_of(to_tensor(texts));
    CHECK(state["texts"].scalar_type() == torch::kByte);
    CHECK(StateReader("Piece", state).texts("texts", texts.size()) == texts);
    CHECK(contains(error_of([&] { StateReader("Piece", state).texts("texts", texts.size() + 1); }),
                   "Piece: wanted " + std::to_string(texts.size() + 1) +
                       " texts in the entry texts, got " + std::to_string(texts.size())));
  }
  // A file that was cut off ends without the last zero byte.
  CHECK(StateReader("Piece", state_of(to_tensor(std::string_view("a\0b", 3)))).texts("texts", 2) ==
        Texts{"a", "b"});
}

TEST_CASE("a count in a state is from 0 to 2^62", "[core]") {
  using Numbers = std::vector<std::int64_t>;
  for (const std::int64_t good : {std::int64_t{0}, std::int64_t{1} << 62}) {
    CHECK(StateReader("Piece", state_of(to_tensor(Numbers{good}))).counts("texts", 1)[0] == good);
  }
  for (const std::int64_t bad : {std::int64_t{-1}, (std::int64_t{1} << 62) + 1}) {
    CHECK(contains(
        error_of([&] { StateReader("Piece", state_of(to_tensor(Numbers{bad}))).counts("texts"); }),
        "Piece: wanted numbers from 0 to 2^62 in the entry texts, got " + std::to_string(bad)));
  }
}

}  // namespace state_values_test
