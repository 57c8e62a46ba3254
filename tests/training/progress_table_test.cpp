#include "regtorch/training/progress_table.hpp"

#include <cstdint>
#include <string>

#include "catch.hpp"
#include "progress_state.hpp"

namespace progress_table_test {

using regtorch::testing::ProgressState;
using rt::ProgressTable;

namespace {

/// Both lines of a table with one row.
std::string table_at(int width) {
  ProgressState progress(3, 51);
  progress.with_epoch(0.77904, 0.72765, 0.78776, 0.7275);
  const ProgressTable table(progress.state, width);
  return table.header() + "\n" + table.row(progress.state, 10621.4);
}

}  // namespace

TEST_CASE("an epoch is a row under the titles", "[training]") {
  ProgressState progress(3, 51);
  progress.with_epoch(0.77904, 0.72765, 0.78776, 0.7275);
  const ProgressTable table(progress.state);
  CHECK(table.header() ==
        "epoch  train loss  train acc   val loss   val acc        lr  seconds     left");
  CHECK(table.row(progress.state, 10621.4) ==
        " 3/51      0.7790    72.77 %     0.7878   72.75 %     0.001    213.8  2:57:01");
  progress.state.epoch = 51;
  progress.with_epoch(123456, 1, 12.5, 1);
  progress.state.metrics.set("lr", 0.000123456);
  CHECK(table.row(progress.state, 0) ==
        "51/51    1.23e+05   100.00 %    12.5000  100.00 %  0.000123    213.8     0:00");
}

TEST_CASE("a table without validation has no columns for it", "[training]") {
  ProgressState progress(9, 1234);
  progress.with_epoch(0.77904, 0.72765);
  const ProgressTable table(progress.state);
  CHECK(table.header() == "    epoch  train loss  train acc        lr  seconds     left");
  CHECK(table.row(progress.state, 200000) ==
        "   9/1234      0.7790    72.77 %     0.001    183.8    2d 7h");
  // That there is validation later does not change the columns.
  progress.with_epoch(0.77904, 0.72765, 1, 1);
  CHECK(table.row(progress.state, 200000) ==
        "   9/1234      0.7790    72.77 %     0.001    213.8    2d 7h");
}

TEST_CASE("what an epoch lacks is a dash", "[training]") {
  ProgressState progress(1, 2);
  progress.with_epoch(0.77904, 0.72765, 0.78776, 0.7275);
  const ProgressTable table(progress.state);
  progress.with_epoch(0.77904, 0.72765);
  CHECK(table.row(progress.state, 60) ==
        "  1/2      0.7790    72.77 %          -         -     0.001    183.8     1:00");
}

TEST_CASE("learning rates have three digits", "[training]") {
  const auto row = [](double lr) {
    ProgressState progress(1, 2);
    progress.state.metrics.set("lr", lr);
    return ProgressTable(progress.state).row(progress.state, 60);
  };
  CHECK(row(0.1) == "  1/2       0.1      0.0     1:00");
  CHECK(row(0.092388) == "  1/2    0.0924      0.0     1:00");
  CHECK(row(3e-5) == "  1/2     3e-05      0.0     1:00");
  CHECK(row(3.14159e-5) == "  1/2  3.14e-05      0.0     1:00");
  CHECK(row(0) == "  1/2         0      0.0     1:00");
}

TEST_CASE("a narrow table leaves columns out", "[training]") {
  CHECK(table_at(77).size() == 2 * 77 + 1);
  CHECK(table_at(76) ==
        "epoch  train loss  train acc   val loss   val acc  seconds     left\n"
        " 3/51      0.7790    72.77 %     0.7878   72.75 %    213.8  2:57:01");
  CHECK(table_at(59) ==
        "epoch  train loss  train acc   val loss   val acc     left\n"
        " 3/51      0.7790    72.77 %     0.7878   72.75 %  2:57:01");
  CHECK(table_at(29) ==
        "epoch  train loss   val loss\n"
        " 3/51      0.7790     0.7878");
  CHECK(table_at(19) ==
        "epoch  train loss\n"
        " 3/51      0.7790");
  CHECK(table_at(5) == "epoch\n 3/51");
  CHECK(table_at(0) == "epoch\n 3/51");  // an epoch is always told
}

}  // namespace progress_table_test
