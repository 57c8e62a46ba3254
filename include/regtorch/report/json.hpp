#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "regtorch/core/write_file.hpp"
#include "regtorch/report/number.hpp"
#include "regtorch/report/utf8.hpp"
#include "regtorch/training/history.hpp"

namespace regtorch::report {

/// A JSON object that is built up field by field, in order.
///
///     JsonObject summary;
///     summary.set("model", "resnet18").set("test_accuracy", 0.76);
///     write_json(summary, "summary.json");
class JsonObject {
 public:
  /// Adds a text. Names are not compared: give each once.
  JsonObject& set(std::string_view name, std::string_view text) { return add(name, quoted(text)); }
  /// The same.
  JsonObject& set(std::string_view name, const char* text) {
    return set(name, std::string_view(text));
  }
  /// JSON knows no NaN and no infinity: they become null.
  JsonObject& set(std::string_view name, double value) {
    return add(name, std::isfinite(value) ? shortest(value) : "null");
  }
  /// @{
  /// Exact, whatever the size.
  JsonObject& set(std::string_view name, std::int64_t value) {
    return add(name, std::to_string(value));
  }
  JsonObject& set(std::string_view name, std::uint64_t value) {
    return add(name, std::to_string(value));
  }
  /// @}
  /// true or false.
  JsonObject& set(std::string_view name, bool value) { return add(name, value ? "true" : "false"); }

  /// An array of objects.
  JsonObject& set(std::string_view name, const std::vector<JsonObject>& objects) {
    std::string text = "[";
    for (const JsonObject& object : objects) {
      text += text.size() > 1 ? ",\n    {" : "\n    {";
      // A string's own line breaks are escaped: every one there is begins a line of the object.
      for (const char c : object.fields_) {
        text += c;
        text += c == '\n' ? "    " : "";
      }
      text += "\n    }";
    }
    return add(name, text + (objects.empty() ? "]" : "\n  ]"));
  }

  /// The object's text, a field a line.
  std::string text() const { return "{" + fields_ + "\n}\n"; }

 private:
  JsonObject& add(std::string_view name, const std::string& value) {
    fields_ += (fields_.empty() ? "\n  " : ",\n  ") + quoted(name) + ": " + value;
    return *this;
  }

  /// In quotes, with what JSON does not allow in a string escaped; what is not UTF-8 becomes
  /// U+FFFD.
  static std::string quoted(std::string_view text) {
    std::string result = "\"";
    while (!text.empty()) {
      const std::size_t size = utf8_character_size(text);
      const char c = text.front();
      if (size == 0) {
        result += "\uFFFD";
      } else if (c == '"' || c == '\\') {
        result += '\\';
        result += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        std::array<char, 8> escape;
        std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
        result += escape.data();
      } else {
        result += text.substr(0, size);
      }
      text.remove_prefix(size == 0 ? 1 : size);
    }
    return result + "\"";
  }

  std::string fields_;
};

/// Writes the object to a file, which is replaced as a whole or not at all.
/// @throws c10::Error naming the file if it cannot be written
inline void write_json(const JsonObject& object, const std::filesystem::path& path) {
  write_file(path, object.text());
}

/// Writes a history as {"epochs": [{"epoch": 1, "train_loss": 1.49, ...}, ...]}: of each epoch the
/// metrics it has, numbers as they read back exactly, null for what is not finite.
///
/// The file is replaced as a whole or not at all.
///
/// @throws c10::Error naming the file if it cannot be written
inline void write_json(const History& history, const std::filesystem::path& path) {
  std::vector<JsonObject> epochs;
  for (const auto& epoch : history.epochs) {
    JsonObject object;
    object.set("epoch", epoch.epoch);
    for (const auto& [name, value] : epoch.metrics) {
      object.set(name, value);
    }
    epochs.push_back(object);
  }
  write_json(JsonObject().set("epochs", epochs), path);
}

}  // namespace regtorch::report
