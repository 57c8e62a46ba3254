#include "regtorch/report/json.hpp"

#include <cmath>
#include <cstdint>
#include <string>

#include "catch.hpp"

using rt::report::JsonObject;

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

TEST_CASE("what JSON cannot say is null", "[report]") {
  CHECK(JsonObject().set("x", std::nan("")).text() == "{\n  \"x\": null\n}\n");
  CHECK(JsonObject().set("x", INFINITY).text() == "{\n  \"x\": null\n}\n");
}
