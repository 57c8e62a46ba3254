#include "regtorch/report/csv.hpp"

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include "catch.hpp"
#include "temporary_folder.hpp"

namespace csv_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::TemporaryFolder;

namespace {
std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
}  // namespace

TEST_CASE("a history becomes a table that reads back exactly", "[report]") {
  rt::History history;
  history.epochs.push_back({1, {}});
  history.epochs.back().metrics.set("loss", 0.1);
  history.epochs.back().metrics.set("lr", 1e-9);
  history.epochs.push_back({2, {}});
  history.epochs.back().metrics.set("loss", std::nan(""));
  const TemporaryFolder folder;
  rt::report::write_csv(history, folder.path / "h.csv");
  CHECK(contents(folder.path / "h.csv") == "epoch,loss,lr\n1,0.1,1e-09\n2,nan,\n");
  rt::report::write_csv({}, folder.path / "h.csv");
  CHECK(contents(folder.path / "h.csv") == "epoch\n");
}

TEST_CASE("names that would end a field of a table are in quotes", "[report]") {
  rt::History history;
  history.epochs.push_back({1, {}});
  for (const char* name : {"a,b", "a\nb", "a\rb", "say \"a\"", "plain; name"}) {
    history.epochs.back().metrics.set(name, 1);
  }
  const TemporaryFolder folder;
  rt::report::write_csv(history, folder.path / "h.csv");
  CHECK(contents(folder.path / "h.csv") ==
        "epoch,\"a,b\",\"a\nb\",\"a\rb\",\"say \"\"a\"\"\",plain; name\n1,1,1,1,1,1\n");
}

TEST_CASE("a table that cannot be written names the file", "[report]") {
  CHECK(contains(error_of([] { rt::report::write_csv({}, "/nowhere/h.csv"); }),
                 "could not write /nowhere/h.csv"));
}

}  // namespace csv_test
