// What is written about metrics of any names and values reads back the same: CSV by the small
// parser below (RFC 4180), JSON by nlohmann's, XML by that of the tests of SVG.

#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "regtorch/report/csv.hpp"
#include "regtorch/report/json.hpp"
#include "scratch_file.hpp"

using regtorch::History;
using regtorch::testing::require;
using regtorch::testing::ScratchFile;

namespace {

std::string contents(const ScratchFile& file) {
  std::ifstream stream(file.path(), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Bit for bit; any nan is as good as another.
bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

// ---- CSV ----

using Record = std::vector<std::string>;

std::vector<Record> csv_records(std::string_view text) {
  std::vector<Record> records;
  std::size_t at = 0;
  while (at < text.size()) {
    Record record;
    do {
      std::string field;
      if (text[at] == '"') {
        for (++at;; ++at) {
          require(at < text.size(), "csv: a quoted field has an end");
          if (text[at] == '"') {
            if (at + 1 == text.size() || text[at + 1] != '"') {
              break;
            }
            ++at;
          }
          field += text[at];
        }
        ++at;
      } else {
        while (at < text.size() && text[at] != ',' && text[at] != '\n') {
          require(text[at] != '"' && text[at] != '\r', "csv: such a field is in quotes");
          field += text[at++];
        }
      }
      record.push_back(field);
      require(at < text.size() && (text[at] == ',' || text[at] == '\n'), "csv: a field ends");
    } while (text[at++] == ',');
    records.push_back(record);
  }
  return records;
}

void check_csv(const History& history, const ScratchFile& file) {
  regtorch::report::write_csv(history, file.path());
  const auto records = csv_records(contents(file));
  require(records.size() == history.epochs.size() + 1, "csv: a line an epoch");
  Record header{"epoch"};
  if (!history.epochs.empty()) {
    for (const auto& [name, value] : history.epochs.front().metrics) {
      header.push_back(name);
    }
  }
  require(records.front() == header, "csv: the names read back");
  for (std::size_t i = 0; i < history.epochs.size(); ++i) {
    const auto& [epoch, metrics] = history.epochs[i];
    const Record& record = records[i + 1];
    require(record.size() == header.size(), "csv: a field a metric");
    require(record[0] == std::to_string(epoch), "csv: the epoch reads back");
    for (std::size_t m = 1; m < header.size(); ++m) {
      require(record[m].empty() != metrics.contains(header[m]), "csv: a metric or nothing");
      if (!record[m].empty()) {
        double value = 0;
        const char* end = record[m].data() + record[m].size();
        require(std::from_chars(record[m].data(), end, value).ptr == end, "csv: a number");
        require(same(value, metrics.at(header[m])), "csv: the value reads back");
      }
    }
  }
}

// ---- JSON ----

/// Whether nlohmann's writer takes it for UTF-8.
bool is_utf8(const std::string& text) {
  try {
    nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
  return true;
}

void check_json(const History& history, const ScratchFile& file) {
  regtorch::report::write_json(history, file.path());
  const auto read = nlohmann::json::parse(contents(file))["epochs"];  // throws where it is no JSON
  require(read.size() == history.epochs.size(), "json: an object an epoch");
  for (std::size_t i = 0; i < history.epochs.size(); ++i) {
    for (const auto& [name, value] : history.epochs[i].metrics) {
      if (name != "epoch" && is_utf8(name)) {
        const auto& field = read[i].at(name);
        require(std::isfinite(value) ? field.is_number() && same(field.get<double>(), value)
                                     : field.is_null(),
                "json: the value reads back");
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFile file;
  FuzzedDataProvider input(data, size);
  History history;
  const auto epochs = input.ConsumeIntegralInRange<std::int64_t>(0, 3);
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    history.epochs.push_back({epoch, {}});
    while (input.remaining_bytes() > 0 && input.ConsumeBool()) {
      const std::string name = input.ConsumeRandomLengthString(16);
      history.epochs.back().metrics.set(
          name, std::bit_cast<double>(input.ConsumeIntegral<std::uint64_t>()));
    }
  }
  check_csv(history, file);
  check_json(history, file);
  return 0;
}
