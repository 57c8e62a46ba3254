// Any bytes as files of CIFAR-10 or CIFAR-100, of fewer records than the real ones: the images and
// labels that a plain loop finds in them, or a c10::Error.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "regtorch/data/cifar_files.hpp"
#include "scratch_file.hpp"

using regtorch::data::detail::CifarLayout;
using regtorch::testing::require;
using regtorch::testing::ScratchFile;
using regtorch::testing::succeeds;

namespace {

constexpr std::int64_t kPixels = 3 * 32 * 32;

std::int64_t record_bytes(const CifarLayout& layout) {
  return static_cast<std::int64_t>(layout.classes.size()) + kPixels;
}

bool is_good(const CifarLayout& layout, const std::string& bytes) {
  if (static_cast<std::int64_t>(bytes.size()) != layout.records * record_bytes(layout)) {
    return false;
  }
  for (std::int64_t record = 0; record < layout.records; ++record) {
    for (std::size_t label = 0; label < layout.classes.size(); ++label) {
      const auto at = static_cast<std::size_t>(record * record_bytes(layout)) + label;
      if (static_cast<std::uint8_t>(bytes[at]) >= layout.classes[label]) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFile file;
  FuzzedDataProvider input(data, size);
  CifarLayout layout{"CIFAR", "cifar", {file.path().filename().string()}, 0, {10}};
  if (input.ConsumeBool()) {
    layout.classes = {20, 100};
  }
  // They are read 64 at a time.
  layout.records = input.ConsumeIntegralInRange<std::int64_t>(1, input.ConsumeBool() ? 3 : 66);
  const auto surplus = input.ConsumeBool() ? input.ConsumeIntegral<std::int16_t>() : 0;
  const auto length = std::max<std::int64_t>(0, layout.records * record_bytes(layout) + surplus);

  // Over and over again, so that a few bytes reach to the end of a large file.
  std::string bytes = input.ConsumeRemainingBytesAsString();
  if (bytes.empty()) {
    bytes = '\0';
  }
  while (bytes.size() < static_cast<std::size_t>(length)) {
    bytes += std::string(bytes);
  }
  bytes.resize(static_cast<std::size_t>(length));
  file.put(bytes);

  regtorch::data::detail::CifarData read;
  const bool good = succeeds(
      [&] { read = regtorch::data::detail::read_cifar(file.path().parent_path(), layout); });
  require(good == is_good(layout, bytes), "files are read if they are good, and else refused");
  if (!good) {
    return 0;
  }
  const auto* images = read.images.const_data_ptr<std::uint8_t>();
  const auto* labels = read.labels.const_data_ptr<std::int64_t>();
  for (std::int64_t record = 0; record < layout.records; ++record) {
    const char* from = bytes.data() + record * record_bytes(layout);
    for (std::size_t label = 0; label < layout.classes.size(); ++label) {
      require(labels[static_cast<std::int64_t>(label) * layout.records + record] ==
                  static_cast<std::uint8_t>(from[label]),
              "labels are those in the file");
    }
    require(std::memcmp(images + record * kPixels, from + layout.classes.size(),
                        static_cast<std::size_t>(kPixels)) == 0,
            "images are those in the file");
  }
  return 0;
}
