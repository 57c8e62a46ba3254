#include "regtorch/training/file_name_pattern.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "catch.hpp"

namespace file_name_pattern_test {

using regtorch::detail::FileNamePattern;
using regtorch::testing::contains;
using regtorch::testing::error_of;

namespace {

std::string name(const std::string& pattern, std::int64_t epoch, double value = 0,
                 int version = 0) {
  rt::Metrics metrics;
  metrics.set("val_loss", value);
  metrics.set("top/5", 0.5);
  return FileNamePattern(pattern).path(epoch, metrics, version).string();
}

std::string error(const std::string& pattern) {
  return error_of([&] { FileNamePattern{pattern}; });
}

/// Where the pattern is wrong, and why.
std::string error_at(const std::string& pattern, int character, const std::string& what) {
  return "file name pattern '" + pattern + "', character " + std::to_string(character) + ": " +
         what;
}

}  // namespace

TEST_CASE("a pattern without placeholders is one name", "[training]") {
  CHECK(name("best.pt", 3) == "best.pt");
  CHECK(name("/a/b.c/best", 3) == "/a/b.c/best");
  CHECK(name("{{a}}/{{{{b}}}}.pt", 3) == "{a}/{{b}}.pt");
  CHECK(FileNamePattern("best.pt").is_fixed());
  CHECK(FileNamePattern("{{epoch}}.pt").is_fixed());
  CHECK_FALSE(FileNamePattern("{epoch}").is_fixed());
  CHECK_FALSE(FileNamePattern("{val_loss}").is_fixed());
  CHECK(FileNamePattern("{val_loss}{epoch:03}").has_epoch());
  CHECK_FALSE(FileNamePattern("{{epoch}}{val_loss}{epochs}").has_epoch());
}

TEST_CASE("the folder is what stands before the last slash of the text", "[training]") {
  const auto folder = [](const char* pattern) {
    return FileNamePattern(pattern).folder().string();
  };
  CHECK(folder("best.pt") == ".");
  CHECK(folder("{epoch}.pt") == ".");
  CHECK(folder("/{epoch}.pt") == "/");
  CHECK(folder("a/{epoch}.pt") == "a");
  CHECK(folder("../a/b/{epoch}.pt") == "../a/b");
  CHECK(folder("a/{top/5}.pt") == "a");
  CHECK(folder("{{a}}/best.pt") == "{a}");
}

TEST_CASE("the epoch is written as Python writes it", "[training]") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> table{
      {"", {"1", "42", "1234"}},        {":", {"1", "42", "1234"}},
      {":d", {"1", "42", "1234"}},      {":03", {"001", "042", "1234"}},
      {":03d", {"001", "042", "1234"}}, {":3", {"  1", " 42", "1234"}},
      {":2d", {" 1", "42", "1234"}},    {":0", {"1", "42", "1234"}}};
  for (const auto& [format, texts] : table) {
    INFO(format);
    const std::string pattern = "a{epoch" + format + "}b.pt";
    CHECK(name(pattern, 1) == "a" + texts[0] + "b.pt");
    CHECK(name(pattern, 42) == "a" + texts[1] + "b.pt");
    CHECK(name(pattern, 1234) == "a" + texts[2] + "b.pt");
  }
  CHECK(name("{epoch:099}", 7) == std::string(98, '0') + "7");
}

TEST_CASE("metrics are written as Python writes them", "[training]") {
  const std::vector<double> values{0.0, 1.0, -1.5, 0.25, 2.0 / 3, 123456.789, 1e-7, 1e20, -4e-5};
  const std::vector<std::pair<std::string, std::vector<std::string>>> table{
      // What Python 3.11 says of each value.
      {"f",
       {"0.000000", "1.000000", "-1.500000", "0.250000", "0.666667", "123456.789000", "0.000000",
        "100000000000000000000.000000", "-0.000040"}},
      {"e",
       {"0.000000e+00", "1.000000e+00", "-1.500000e+00", "2.500000e-01", "6.666667e-01",
        "1.234568e+05", "1.000000e-07", "1.000000e+20", "-4.000000e-05"}},
      {"g", {"0", "1", "-1.5", "0.25", "0.666667", "123457", "1e-07", "1e+20", "-4e-05"}},
      {".4f",
       {"0.0000", "1.0000", "-1.5000", "0.2500", "0.6667", "123456.7890", "0.0000",
        "100000000000000000000.0000", "-0.0000"}},
      {".0f", {"0", "1", "-2", "0", "1", "123457", "0", "100000000000000000000", "-0"}},
      {".3e",
       {"0.000e+00", "1.000e+00", "-1.500e+00", "2.500e-01", "6.667e-01", "1.235e+05", "1.000e-07",
        "1.000e+20", "-4.000e-05"}},
      {".2g", {"0", "1", "-1.5", "0.25", "0.67", "1.2e+05", "1e-07", "1e+20", "-4e-05"}},
      {"010.3f",
       {"000000.000", "000001.000", "-00001.500", "000000.250", "000000.667", "123456.789",
        "000000.000", "100000000000000000000.000", "-00000.000"}},
      {"10.3f",
       {"     0.000", "     1.000", "    -1.500", "     0.250", "     0.667", "123456.789",
        "     0.000", "100000000000000000000.000", "    -0.000"}},
      {"012.2e",
       {"00000.00e+00", "00001.00e+00", "-0001.50e+00", "00002.50e-01", "00006.67e-01",
        "00001.23e+05", "00001.00e-07", "00001.00e+20", "-0004.00e-05"}},
      {"010f",
       {"000.000000", "001.000000", "-01.500000", "000.250000", "000.666667", "123456.789000",
        "000.000000", "100000000000000000000.000000", "-00.000040"}}};
  for (const auto& [format, texts] : table) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(name("{val_loss:" + format + "}", 1, values[i]) == texts[i]);
    }
  }
  // Without a format: the shortest text that reads back exactly.
  CHECK(name("{val_loss}-{val_loss:}", 1, 0.1) == "0.1-0.1");
  CHECK(name("{val_loss}", 1, 2.0 / 3) == "0.6666666666666666");
  CHECK(name("{top/5}-{epoch:02}-{val_loss:.2f}.pt", 7, 0.126) == "0.5-07-0.13.pt");
  CHECK(name("{val_loss:.99f}", 1, -1e308).size() == 1 + 309 + 1 + 99);
}

TEST_CASE("a version stands before the extension of the pattern's text", "[training]") {
  CHECK(name("a/m-{epoch}.pt", 3, 0, 1) == "a/m-3-v1.pt");
  CHECK(name("m-{epoch}", 3, 0, 12) == "m-3-v12");
  CHECK(name("m-{val_loss:.2f}", 3, 0.5, 2) == "m-0.50-v2");  // .50 is no extension
  CHECK(name("m.{epoch}-a.b.pt", 3, 0, 1) == "m.3-a.b-v1.pt");
  CHECK(name("{epoch}.{{x}}", 3, 0, 1) == "3-v1.{x}");
}

TEST_CASE("the longest name is as long as any that a fit is likely to want", "[training]") {
  CHECK(FileNamePattern("a/best.pt").longest(51) == "a/best.pt");
  CHECK(FileNamePattern("{epoch}.pt").longest(1234) == "1234-v100.pt");
  const std::string pattern = "{epoch:03}-{val_loss}-{val_loss:.4f}.pt";
  const auto longest = FileNamePattern(pattern).longest(51).string();
  CHECK(longest.size() >= name(pattern, 51, -1.2345678901234567e-5, 99).size());
  CHECK(longest.size() < 60);
}

TEST_CASE("a metric that does not exist is an error that lists those that do", "[training]") {
  CHECK(contains(error_of([] { name("{valloss}", 1); }),
                 "wanted one of [val_loss, top/5], got 'valloss'"));
}

TEST_CASE("a bad pattern is an error that says where", "[training]") {
  const std::string epoch = "wanted a format such as 03 or 03d, of width 99 at most";
  const std::string metric =
      "wanted a format such as .4f, .3e or .5g, with two digits a number at most";
  const std::string closing = "wanted a closing brace to this one ({{ stands for a brace)";
  const std::string opening = "wanted an opening brace to this one (}} stands for a brace)";
  for (const auto& [pattern, character, what] :
       std::vector<std::tuple<std::string, int, std::string>>{
           {"", 1, "wanted a file name"},
           {"a/", 3, "wanted a file name"},
           {"a{epoch", 2, closing},
           {"{epoch{val_loss}", 1, closing},
           {"{", 1, closing},
           {"{{{", 3, closing},
           {"{epoch}}", 8, opening},
           {"a}.pt", 2, opening},
           {"{}", 2, "wanted epoch or a metric's name"},
           {"{:03}", 2, "wanted epoch or a metric's name"},
           {"a{epoch}/best.pt", 9, "wanted placeholders in the file name, got one before"},
           {"{epoch:x}", 8, epoch},
           {"{epoch:.2f}", 8, epoch},
           {"{epoch:100}", 8, epoch},
           {"{epoch:-3}", 8, epoch},
           {"{epoch:03dd}", 8, epoch},
           {"{val_loss:x}", 11, metric},
           {"{val_loss:.4}", 11, metric},
           {"{val_loss:4}", 11, metric},
           {"{val_loss:.f}", 11, metric},
           {"{val_loss:.-1f}", 11, metric},
           {"{val_loss:.100f}", 11, metric},
           {"{val_loss:.4ff}", 11, metric},
           {"{val_loss:d}", 11, metric},
           {"{val_loss:.4f:}", 11, metric}}) {
    CHECK(error(pattern) == error_at(pattern, character, what));
  }
  CHECK(error(std::string("a\0.pt", 5)) ==
        "file name pattern: wanted no zero byte, with which the system ends paths, got 'a");
  CHECK_THROWS_AS(FileNamePattern("{"), c10::ValueError);
}

}  // namespace file_name_pattern_test
