#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include <c10/util/Exception.h>

#include "regtorch/models/state_dict_bytes.hpp"

namespace regtorch::detail {

/// Reads the records of a zip archive as torch.save writes it: stored uncompressed, in one folder.
///
/// No size in the file is believed before it is held against the file's own, so nothing larger than
/// the file is ever allocated. LibTorch's reader will not do: its constructor already allocates,
/// and inflates, what the file claims to be the record `version`.
///
/// Every error message begins with `where`.
class ZipReader {
 public:
  ZipReader(const std::filesystem::path& path, std::string where) : where_(std::move(where)) {
    std::error_code error;
    size_ = std::filesystem::file_size(path, error);
    TORCH_CHECK(!error, where_, ": ", error.message());
    file_.rdbuf()->pubsetbuf(nullptr, 0);  // whole records are read: a second buffer only costs
    file_.open(path, std::ios::binary);
    TORCH_CHECK(file_.is_open(), where_, ": could not be opened");
    read_directory();
  }

  /// The whole file's.
  std::uint64_t bytes() const { return size_; }

  bool contains(const std::string& record) const { return records_.contains(folder_ + record); }

  /// The record's size in bytes: no more than the file's, nor are those of all records together.
  std::uint64_t size(const std::string& record) const { return find(record).size; }

  /// Copies the record to `to`, which has room for size(record) bytes.
  void read(const std::string& record, void* to) {
    const auto [offset, size] = find(record);
    const std::string bytes = piece(offset, kHeaderBytes);
    ByteReader header(bytes, where_ + ": the header of " + record);
    expect(header, "PK\3\4");
    header.take(22);  // what the directory has said already
    const auto name_bytes = header.number(2);
    const auto extra_bytes = header.number(2);
    read_at(offset + kHeaderBytes + name_bytes + extra_bytes, size, to);
  }
  std::string read(const std::string& record) {
    std::string bytes(size(record), '\0');
    read(record, bytes.data());
    return bytes;
  }

 private:
  struct Record {
    std::uint64_t offset;  ///< of its header
    std::uint64_t size;
  };

  static constexpr std::uint64_t kEndBytes = 22;
  static constexpr std::uint64_t kLocatorBytes = 20;
  static constexpr std::uint64_t kEnd64Bytes = 56;
  static constexpr std::uint64_t kHeaderBytes = 30;
  static constexpr std::uint64_t kIn64 = 0xffffffff;  ///< "the number is in the 64-bit field"

  /// Finds the directory, from its end, which is the end of the file: torch writes no comment
  /// there.
  void read_directory() {
    TORCH_CHECK(size_ >= kEndBytes, where_, ": wanted a zip archive, got ", size_, " bytes");
    const std::string end_bytes = piece(size_ - kEndBytes, kEndBytes);
    ByteReader end(end_bytes, where_);
    expect(end, "PK\5\6");
    end.take(8);  // numbers of disks and of records
    auto directory_bytes = end.number(4);
    auto directory_offset = end.number(4);
    if (directory_bytes == kIn64 || directory_offset == kIn64) {
      const std::string locator_bytes = piece(size_ - kEndBytes - kLocatorBytes, kLocatorBytes);
      ByteReader locator(locator_bytes, where_);
      expect(locator, "PK\6\7");
      locator.take(4);  // the number of a disk
      const std::string end64_bytes = piece(locator.number(8), kEnd64Bytes);
      ByteReader end64(end64_bytes, where_);
      expect(end64, "PK\6\6");
      end64.take(36);  // sizes, versions, numbers of disks and of records
      directory_bytes = end64.number(8);
      directory_offset = end64.number(8);
    }
    const std::string directory = piece(directory_offset, directory_bytes);
    ByteReader entries(directory, where_ + ": the zip's directory");
    for (std::uint64_t total = 0; !entries.done();) {
      total += read_entry(entries, size_ - total);
    }
  }

  /// Adds a record, which may have up to `most` bytes, and returns how many it has.
  std::uint64_t read_entry(ByteReader& entry, std::uint64_t most) {
    expect(entry, "PK\1\2");
    entry.take(6);  // versions and flags
    const auto method = entry.number(2);
    entry.take(8);  // time, date and checksum
    auto stored = entry.number(4);
    auto size = entry.number(4);
    const auto name_bytes = entry.number(2);
    const auto extra_bytes = entry.number(2);
    const auto comment_bytes = entry.number(2);
    entry.take(8);  // the number of a disk, and attributes
    auto offset = entry.number(4);
    const std::string name(entry.take(name_bytes));
    ByteReader extra(entry.take(extra_bytes), where_ + ": the zip's directory, " + name);
    entry.take(comment_bytes);
    while (!extra.done()) {
      const auto kind = extra.number(2);
      ByteReader field(extra.take(extra.number(2)), where_ + ": the zip's directory, " + name);
      for (auto* value : {&size, &stored, &offset}) {
        if (kind == 1 && *value == kIn64) {
          *value = field.number(8);
        }
      }
    }
    TORCH_CHECK(method == 0 && stored == size, where_, ": record ", name,
                " is compressed, wanted it stored as torch.save does");
    TORCH_CHECK(size <= most, where_, ": record ", name, " claims ", size,
                " bytes, but the whole file has ", size_);
    if (records_.empty()) {
      folder_ = name.substr(0, name.find('/')) + "/";
    }
    TORCH_CHECK(records_.emplace(name, Record{offset, size}).second, where_, ": record ", name,
                " is there twice");
    return size;
  }

  const Record& find(const std::string& record) const {
    const auto found = records_.find(folder_ + record);
    TORCH_CHECK(found != records_.end(), where_, ": there is no record ", record,
                "; wanted what torch.save writes");
    return found->second;
  }

  void expect(ByteReader& reader, std::string_view signature) const {
    TORCH_CHECK(reader.take(4) == signature, where_,
                ": wanted a zip archive, as torch.save writes it");
  }

  void check_within(std::uint64_t offset, std::uint64_t count) const {
    TORCH_CHECK(count <= size_ && offset <= size_ - count, where_, ": wanted ", count,
                " bytes from byte ", offset, ", but the file has ", size_);
  }
  void read_at(std::uint64_t offset, std::uint64_t count, void* to) {
    check_within(offset, count);
    file_.seekg(static_cast<std::streamoff>(offset));
    file_.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
    TORCH_CHECK(file_.good(), where_, ": could not read ", count, " bytes from byte ", offset);
  }
  std::string piece(std::uint64_t offset, std::uint64_t count) {
    check_within(offset, count);
    std::string bytes(count, '\0');
    read_at(offset, count, bytes.data());
    return bytes;
  }

  std::string where_;
  std::ifstream file_;
  std::uint64_t size_ = 0;
  std::string folder_;  ///< with its slash
  std::unordered_map<std::string, Record> records_;
};

}  // namespace regtorch::detail
