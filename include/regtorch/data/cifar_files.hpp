#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include "regtorch/core/parallel_for.hpp"

/// Reading of the binary versions of CIFAR-10 and CIFAR-100: files of records, each record one or
/// two label bytes and 3,072 pixel bytes (1,024 red, 1,024 green, 1,024 blue, row by row).
namespace regtorch::data::detail {

struct CifarLayout {
  const char* name;                ///< "CIFAR10", to begin error messages
  const char* folder;              ///< the archive's folder
  std::vector<std::string> files;  ///< to be read, in order
  std::int64_t records;            ///< in each file
  std::vector<int> classes;        ///< number of classes, for each label byte
};

struct CifarData {
  at::Tensor images;  ///< uint8 [N,3,32,32]
  at::Tensor labels;  ///< int64 [label bytes, N]
};

/// The folder with the files: `root`, or the archive's folder in it.
inline std::filesystem::path find_cifar_folder(const std::filesystem::path& root,
                                               const CifarLayout& layout) {
  std::error_code ignored;
  for (const auto& folder : {root, root / layout.folder}) {
    // Also a link to nowhere: reading it will say what is wrong with it.
    const auto status = std::filesystem::symlink_status(folder / layout.files.front(), ignored);
    if (std::filesystem::exists(status)) {
      return folder;
    }
  }
  TORCH_CHECK(std::filesystem::is_directory(root, ignored), layout.name, ": wanted a folder with ",
              layout.files.front(), " or with ", layout.folder, ", got ", root.string(),
              std::filesystem::exists(root, ignored) ? ", which is not a folder"
                                                     : ", which does not exist");
  // Not TORCH_CHECK(false, ...), after which g++ -O0 misses a return.
  C10_THROW_ERROR(Error, c10::str(layout.name, ": found neither ", layout.files.front(), " nor ",
                                  layout.folder, "/", layout.files.front(), " in ", root.string()));
}

/// Reads one file's records, in pieces that stay in the cache, into `images` and `labels`.
inline void read_cifar_file(const std::filesystem::path& path, const CifarLayout& layout,
                            std::uint8_t* images, std::int64_t* labels, std::int64_t label_stride) {
  constexpr std::int64_t kPixels = 3 * 32 * 32;
  constexpr std::int64_t kRecordsInPiece = 64;
  const auto label_bytes = static_cast<std::int64_t>(layout.classes.size());
  const std::int64_t record_bytes = label_bytes + kPixels;

  std::error_code error;
  TORCH_CHECK(!std::filesystem::is_directory(path, error), layout.name, ": wanted a file, got ",
              path.string(), ", which is a folder");
  const auto bytes = std::filesystem::file_size(path, error);
  TORCH_CHECK(!error, layout.name, ": could not read ", path.string(), ": ", error.message());
  const auto wanted = static_cast<std::uintmax_t>(layout.records * record_bytes);
  TORCH_CHECK(bytes == wanted, layout.name, ": wanted ", layout.records, " records of ",
              record_bytes, " bytes = ", wanted, " bytes, got ", bytes, " in ", path.string());

  std::ifstream file;
  file.rdbuf()->pubsetbuf(nullptr, 0);  // whole pieces are read: a second buffer only costs
  file.open(path, std::ios::binary);
  std::vector<char> piece(static_cast<std::size_t>(kRecordsInPiece * record_bytes));
  for (std::int64_t first = 0; first < layout.records; first += kRecordsInPiece) {
    const auto count = std::min(kRecordsInPiece, layout.records - first);
    file.read(piece.data(), count * record_bytes);
    TORCH_CHECK(file.gcount() == count * record_bytes, layout.name, ": could not read records ",
                first, " to ", first + count - 1, " of ", path.string());
    for (std::int64_t i = 0; i < count; ++i) {
      const char* record = piece.data() + i * record_bytes;
      for (std::int64_t l = 0; l < label_bytes; ++l) {
        const auto label = static_cast<std::uint8_t>(record[l]);
        TORCH_CHECK(label < layout.classes[static_cast<std::size_t>(l)], layout.name,
                    ": wanted labels below ", layout.classes[static_cast<std::size_t>(l)], ", got ",
                    static_cast<int>(label), " in record ", first + i, " of ", path.string());
        labels[l * label_stride + first + i] = label;
      }
      std::memcpy(images + (first + i) * kPixels, record + label_bytes,
                  static_cast<std::size_t>(kPixels));
    }
  }
}

/// Reads all files of `layout`, several at a time.
inline CifarData read_cifar(const std::filesystem::path& root, const CifarLayout& layout) {
  const auto folder = find_cifar_folder(root, layout);
  const auto files = static_cast<std::int64_t>(layout.files.size());
  const std::int64_t total = files * layout.records;
  CifarData data{at::empty({total, 3, 32, 32}, at::kByte),
                 at::empty({static_cast<std::int64_t>(layout.classes.size()), total}, at::kLong)};
  auto* images = data.images.mutable_data_ptr<std::uint8_t>();
  auto* labels = data.labels.mutable_data_ptr<std::int64_t>();
  parallel_for(files, 1, [&](std::int64_t f, std::int64_t) {
    read_cifar_file(folder / layout.files[static_cast<std::size_t>(f)], layout,
                    images + f * layout.records * 3 * 32 * 32, labels + f * layout.records, total);
  });
  return data;
}

}  // namespace regtorch::data::detail
