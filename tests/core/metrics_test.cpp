#include "regtorch/core/metrics.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

namespace metrics_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;

TEST_CASE("metrics keep names in order and values by name", "[core]") {
  rt::Metrics metrics;
  metrics.set("loss", 1);
  metrics.set("accuracy", 0.5);
  metrics.set("loss", 2);
  CHECK(metrics.at("loss") == 2);
  CHECK(metrics.contains("accuracy"));
  CHECK_FALSE(metrics.contains("lr"));
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics) {
    names.push_back(name);
  }
  CHECK(names == std::vector<std::string>{"loss", "accuracy"});
}

TEST_CASE("a missing metric is an error that lists those there are", "[core]") {
  rt::Metrics metrics;
  metrics.set("train_loss", 1);
  metrics.set("lr", 1);
  const auto message = error_of([&] { (void)metrics.at("val_loss"); });
  CHECK(contains(message, "wanted one of [train_loss, lr], got 'val_loss'"));
}

}  // namespace metrics_test
