#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"

/// Files like those of CIFAR-10 and CIFAR-100, and what can be wrong with them.
namespace regtorch::testing {

inline constexpr std::int64_t kCifarRecords = 10000;
inline constexpr std::int64_t kCifarPixels = 3 * 32 * 32;

/// The byte at `position` of the pixels of a record.
inline std::uint8_t cifar_pixel(std::int64_t file, std::int64_t record, std::int64_t position) {
  const auto number = (file * kCifarRecords + record) * kCifarPixels + position;
  return static_cast<std::uint8_t>(static_cast<std::uint32_t>(number) * 2654435761u >> 24);
}

/// The bytes of a file of 10,000 records; labels(record) gives the std::array of label bytes.
template <class Labels>
std::string cifar_bytes(std::int64_t file, const Labels& labels) {
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(kCifarRecords * (kCifarPixels + 2)));
  for (std::int64_t record = 0; record < kCifarRecords; ++record) {
    for (const std::uint8_t label : labels(record)) {
      bytes.push_back(static_cast<char>(label));
    }
    for (std::int64_t position = 0; position < kCifarPixels; ++position) {
      bytes.push_back(static_cast<char>(cifar_pixel(file, record, position)));
    }
  }
  return bytes;
}

/// The images in such bytes: uint8 [10000,3,32,32].
inline torch::Tensor cifar_images(std::string& bytes) {
  const auto record_bytes = static_cast<std::int64_t>(bytes.size()) / kCifarRecords;
  return torch::from_blob(bytes.data(), {kCifarRecords, record_bytes}, torch::kByte)
      .slice(1, record_bytes - kCifarPixels)
      .reshape({kCifarRecords, 3, 32, 32});
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(file.flush().good());
}

/// A file of zeros, which are valid records; takes no room on the disk.
inline void write_zeros(const std::filesystem::path& path, std::uintmax_t size) {
  std::filesystem::remove_all(path);
  std::ofstream(path).close();
  std::filesystem::resize_file(path, size);
}

inline void poke(const std::filesystem::path& path, std::int64_t offset, int byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(offset);
  file.put(static_cast<char>(byte));
  REQUIRE(file.flush().good());
}

/// Damages `file`, of `label_bytes` and 3,072 pixel bytes a record, in every way there is, and
/// checks that read() says which file it is and what is wrong with it.
inline void check_damaged(const std::filesystem::path& file, std::int64_t label_bytes,
                          const std::function<void()>& read) {
  namespace fs = std::filesystem;
  const auto record = static_cast<std::uintmax_t>(kCifarPixels + label_bytes);
  const auto whole = static_cast<std::uintmax_t>(kCifarRecords) * record;
  const auto resized = [&](std::uintmax_t size) {
    return [&file, size] { write_zeros(file, size); };
  };
  const auto sizes = [&](std::uintmax_t size) {
    return std::vector{std::to_string(whole) + " bytes", "got " + std::to_string(size) + " in"};
  };
  struct Damage {
    const char* name;
    std::function<void()> apply;
    std::vector<std::string> wanted;
  };
  const Damage damages[] = {
      {"truncated mid-record", resized(whole - 1000), sizes(whole - 1000)},
      {"truncated at a record's end", resized(whole - record), sizes(whole - record)},
      {"one byte too many", resized(whole + 1), sizes(whole + 1)},
      {"empty", resized(0), sizes(0)},
      {"missing", [&] { fs::remove(file); }, {}},
      {"a folder",
       [&] {
         fs::remove(file);
         fs::create_directory(file);
       },
       {"which is a folder"}},
      {"unreadable, a link to itself",
       [&] {
         fs::remove_all(file);
         fs::create_symlink(file.filename(), file);
       },
       {}},
  };
  for (const Damage& damage : damages) {
    CAPTURE(damage.name);
    write_zeros(file, whole);
    damage.apply();
    const auto message = error_of(read);
    CAPTURE(message);
    CHECK(contains(message, "CIFAR"));
    CHECK(contains(message, file.filename().string()));
    CHECK(contains(message, file.parent_path().string()));
    for (const auto& part : damage.wanted) {
      CHECK(contains(message, part));
    }
  }
  write_zeros(file, whole);
  CHECK(error_of(read).empty());
}

}  // namespace regtorch::testing
