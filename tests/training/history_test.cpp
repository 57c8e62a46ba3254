#include "regtorch/training/history.hpp"

#include <vector>

#include "catch.hpp"

namespace history_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

TEST_CASE("a history gives one metric over all epochs", "[training]") {
  rt::History history;
  for (int epoch = 1; epoch <= 3; ++epoch) {
    history.epochs.push_back({epoch, {}});
    history.epochs.back().metrics.set("loss", 10 * epoch);
  }
  CHECK(history.metric("loss") == std::vector<double>{10, 20, 30});
  CHECK(contains(error_of([&] { (void)history.metric("val_loss"); }), "[loss], got 'val_loss'"));
}

}  // namespace history_test
