// Any text as ModelCheckpoint's file name pattern, any names and values of metrics: a
// c10::ValueError, or paths in the pattern's folder, the numbers in them as printf writes them.

#include "regtorch/training/file_name_pattern.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "fuzz.hpp"

using regtorch::Metrics;
using regtorch::detail::FileNamePattern;
using regtorch::testing::require;
using regtorch::testing::succeeds;

namespace {

/// "{m:<format>}" for one number that printf can write too.
void check_number(FuzzedDataProvider& input) {
  const double value = input.ConsumeBool() ? input.ConsumeFloatingPointInRange(-1e6, 1e6)
                                           : input.ConsumeFloatingPoint<double>();
  const bool zeros = input.ConsumeBool();
  const int width = input.ConsumeIntegralInRange(1, 99);
  const int precision = input.ConsumeIntegralInRange(0, 99);
  const char type = input.PickValueInArray({'f', 'e', 'g'});
  const std::string format =
      (zeros ? "0" : "") + std::to_string(width) + "." + std::to_string(precision) + type;
  if (!std::isfinite(value)) {  // printf fills those with spaces alone
    return;
  }
  char wanted[600];
  std::snprintf(wanted, sizeof(wanted), ("%" + format).c_str(), value);
  Metrics metrics;
  metrics.set("m", value);
  const auto path = FileNamePattern("{m:" + format + "}").path(1, metrics);
  require(path.string() == wanted, "a number is as printf writes it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider input(data, size);
  if (input.ConsumeBool()) {
    check_number(input);
    return 0;
  }
  const auto epoch = input.ConsumeIntegralInRange<std::int64_t>(0, 1000000);
  const double value = input.ConsumeFloatingPoint<double>();
  Metrics metrics;
  metrics.set("m", value);
  metrics.set(input.ConsumeRandomLengthString(8), -value);
  const std::string text = input.ConsumeRemainingBytesAsString();
  succeeds<c10::ValueError>([&] {
    const FileNamePattern pattern(text);
    require(pattern.text() == text, "the pattern is kept");
    const auto longest = pattern.longest(epoch).string();
    require(longest.find('\0') == std::string::npos, "a path has no end in its midst");
    if (pattern.is_fixed()) {
      require(pattern.path(epoch, metrics) == pattern.path(epoch + 1, {}), "there is one name");
    }
    const auto path = pattern.path(epoch, metrics);
    require(path.has_filename(), "there is a file name");
    require(path == pattern.folder() / path.filename() ||
                (pattern.folder() == "." && !path.has_parent_path()),
            "the file is in the folder");
    require(pattern.path(epoch, metrics, 12).string().size() == path.string().size() + 4,
            "a version adds to the name");
    if (pattern.has_epoch()) {
      require(pattern.path(epoch, metrics) != pattern.path(epoch + 1, metrics),
              "epochs have names of their own");
    }
  });
  return 0;
}
