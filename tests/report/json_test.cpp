#include "regtorch/report/json.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "temporary_folder.hpp"

namespace json_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::TemporaryFolder;
using rt::report::JsonObject;

namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("an object's fields stand in order, one a line", "[report]") {
  const auto object = JsonObject()
                          .set("name", "resnet18")
                          .set("accuracy", 0.75)
                          .set("epochs", std::int64_t{51})
                          .set("stopped", false);
  CHECK(object.text() ==
        "{\n  \"name\": \"resnet18\",\n  \"accuracy\": 0.75,\n  \"epochs\": 51,\n"
        "  \"stopped\": false\n}\n");
  CHECK(JsonObject().text() == "{\n}\n");
}

TEST_CASE("text is escaped as JSON wants it", "[report]") {
  const auto text = JsonObject().set("a\"b", std::string("\\ \n \x01 é")).text();
  CHECK(text == "{\n  \"a\\\"b\": \"\\\\ \\u000a \\u0001 é\"\n}\n");
}

TEST_CASE("what is not UTF-8 becomes U+FFFD, or no reader would take the file", "[report]") {
  const auto quoted = [](const char* text) { return JsonObject().set("t", text).text(); };
  const auto wanted = [](const std::string& text) { return "{\n  \"t\": \"" + text + "\"\n}\n"; };
  for (const char* text : {"é", "\u20ac", "\U0001F600", "\uFFFF", "\x7f"}) {
    CHECK(quoted(text) == wanted(text));
  }
  CHECK(quoted("a\xff"
               "b") == wanted("a\uFFFD"
                              "b"));
  CHECK(quoted("\xc3") == wanted("\uFFFD"));                                // cut short
  CHECK(quoted("\xc0\xaf") == wanted("\uFFFD\uFFFD"));                      // longer than need be
  CHECK(quoted("\xed\xa0\x80") == wanted("\uFFFD\uFFFD\uFFFD"));            // half a pair
  CHECK(quoted("\xf4\x90\x80\x80") == wanted("\uFFFD\uFFFD\uFFFD\uFFFD"));  // beyond U+10FFFF
}

TEST_CASE("what JSON cannot say is null", "[report]") {
  CHECK(JsonObject().set("x", std::nan("")).text() == "{\n  \"x\": null\n}\n");
  CHECK(JsonObject().set("x", INFINITY).text() == "{\n  \"x\": null\n}\n");
}

TEST_CASE("arrays of objects are indented under their name", "[report]") {
  const auto inner = JsonObject().set("x", std::int64_t{1}).set("text", "a\nb");
  const auto outer = JsonObject()
                         .set("name", "n")
                         .set("objects", std::vector{inner, JsonObject().set("y", true)})
                         .set("last", false);
  CHECK(outer.text() == R"({
  "name": "n",
  "objects": [
    {
      "x": 1,
      "text": "a\u000ab"
    },
    {
      "y": true
    }
  ],
  "last": false
}
)");
  CHECK(JsonObject().set("none", std::vector<JsonObject>{}).text() == "{\n  \"none\": []\n}\n");
  CHECK(JsonObject().set("outer", std::vector{outer}).text() == R"({
  "outer": [
    {
      "name": "n",
      "objects": [
        {
          "x": 1,
          "text": "a\u000ab"
        },
        {
          "y": true
        }
      ],
      "last": false
    }
  ]
}
)");
}

TEST_CASE("a history becomes an array of its epochs", "[report]") {
  rt::History history;
  history.epochs.push_back({1, {}});
  history.epochs.back().metrics.set("train_loss", 0.1);
  history.epochs.back().metrics.set("lr", 1e-9);
  history.epochs.push_back({2, {}});
  history.epochs.back().metrics.set("train_loss", std::nan(""));
  history.epochs.back().metrics.set("val_loss", -INFINITY);
  const TemporaryFolder folder;
  rt::report::write_json(history, folder.path / "h.json");
  CHECK(contents(folder.path / "h.json") == R"({
  "epochs": [
    {
      "epoch": 1,
      "train_loss": 0.1,
      "lr": 1e-09
    },
    {
      "epoch": 2,
      "train_loss": null,
      "val_loss": null
    }
  ]
}
)");
  rt::report::write_json(rt::History(), folder.path / "h.json");
  CHECK(contents(folder.path / "h.json") == "{\n  \"epochs\": []\n}\n");
  CHECK(contains(error_of([] { rt::report::write_json(rt::History(), "/nowhere/h.json"); }),
                 "could not write /nowhere/h.json"));
}

TEST_CASE("a history's numbers read back exactly", "[report]") {
  // Any finite double: all bit patterns but those of NaN and infinity.
  std::mt19937_64 random(7);
  using Limits = std::numeric_limits<double>;
  std::vector<double> values{0.1,           1.0 / 3,       1e22,  123456789012345680.0, -0.0,
                             Limits::max(), Limits::min(), -1e-5, Limits::denorm_min()};
  while (values.size() < 2000) {
    const auto value = std::bit_cast<double>(random());
    if (std::isfinite(value)) {
      values.push_back(value);
    }
  }
  rt::History history;
  for (std::size_t i = 0; i < values.size(); ++i) {
    history.epochs.push_back({static_cast<std::int64_t>(i) + 1, {}});
    history.epochs.back().metrics.set("loss", values[i]);
  }
  const TemporaryFolder folder;
  rt::report::write_json(history, folder.path / "h.json");
  const std::string text = contents(folder.path / "h.json");
  const std::string name = "\"loss\": ";
  std::size_t at = 0;
  for (const double value : values) {
    at = text.find(name, at);
    REQUIRE(at != std::string::npos);
    at += name.size();
    const double read = std::strtod(text.c_str() + at, nullptr);
    CHECK(std::bit_cast<std::uint64_t>(read) == std::bit_cast<std::uint64_t>(value));
  }
  CHECK(text.find(name, at) == std::string::npos);
}

}  // namespace json_test
