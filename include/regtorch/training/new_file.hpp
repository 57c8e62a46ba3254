#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <c10/util/Exception.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regtorch/core/write_file.hpp"

namespace regtorch::detail {

/// A file as it was at one moment, to find out later whether a path still leads to just that file:
/// not to another of the same name, and not written to since.
class FileIdentity {
 public:
  /// @throws c10::Error naming the path and the system's reason
  explicit FileIdentity(const std::filesystem::path& path) {
    const auto numbers = numbers_of(path);
    TORCH_CHECK(numbers.has_value(), "could not look at ", path.string(), ": ",
                std::generic_category().message(errno));
    numbers_ = *numbers;
  }
  using Numbers = std::array<std::int64_t, 5>;
  /// One that was looked at before, in another process.
  explicit FileIdentity(const Numbers& numbers) : numbers_(numbers) {}

  const Numbers& numbers() const { return numbers_; }

  bool is_still_at(const std::filesystem::path& path) const { return numbers_of(path) == numbers_; }

 private:
  /// Device and inode, and since an inode's number is soon used again, size and time.
  static std::optional<Numbers> numbers_of(const std::filesystem::path& path) {
    struct stat now {};
    if (::lstat(path.c_str(), &now) != 0) {
      return std::nullopt;
    }
    return Numbers{static_cast<std::int64_t>(now.st_dev), static_cast<std::int64_t>(now.st_ino),
                   now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec};
  }

  Numbers numbers_;
};

/// A file under a name that nobody else has, until it is whole and given its own; removed if it
/// never is.
class NewFile {
 public:
  /// @throws c10::Error naming the folder and the system's reason
  explicit NewFile(const std::filesystem::path& folder) {
    auto [file, path] = create_new_file(folder, 0666);
    TORCH_CHECK(file >= 0, "could not write to the folder ", folder.string(), ": ",
                std::generic_category().message(errno));
    ::close(file);
    path_ = std::move(path);
  }
  ~NewFile() {
    if (!path_.empty()) {
      ::unlink(path_.c_str());
    }
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// Where it is now.
  const std::filesystem::path& path() const { return path_; }

  /// Renames the file, in place of what has that name.
  /// @throws c10::Error naming the path and the system's reason
  void rename(const std::filesystem::path& path) {
    TORCH_CHECK(::rename(path_.c_str(), path.c_str()) == 0, "could not rename a file to ",
                path.string(), ": ", std::generic_category().message(errno));
    path_.clear();
    flush_folder_of(path);
  }

  /// Renames the file if nothing has that name, also where several processes try that at once.
  /// @return false, with nothing changed, if the name is taken
  /// @throws c10::Error naming the path and the system's reason
  bool rename_if_free(const std::filesystem::path& path) {
    // A second name is never given in place of another, as a rename would be.
    if (::link(path_.c_str(), path.c_str()) == 0) {
      ::unlink(path_.c_str());
      path_.clear();
      flush_folder_of(path);
      return true;
    }
    struct stat taken {};
    if (errno == EEXIST || ::lstat(path.c_str(), &taken) == 0) {
      return false;
    }
    rename(path);  // a file system without hard links: only a moment is left for others
    return true;
  }

 private:
  std::filesystem::path path_;
};

/// Finds out now what would fail after hours: makes the folder, and writes to it.
///
/// @param who       begins every error message
/// @param replaces  whether the file is to replace one of that name
/// @throws c10::Error if the folder cannot be made or written to, a folder or device has the
///         file's name and is to be replaced, or the name is too long
inline void check_can_write(const char* who, const std::filesystem::path& path, bool replaces) {
  const auto folder = folder_of(path);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  TORCH_CHECK(!error, who, ": could not create the folder ", folder.string(), ": ",
              error.message());
  const NewFile probe(folder_of(follow_links(path)));  // which throws, or is removed again
  const auto type = std::filesystem::status(path, error).type();
  TORCH_CHECK(type != std::filesystem::file_type::none, who, ": could not write ", path.string(),
              ": ", error.message());
  TORCH_CHECK(!replaces || type == std::filesystem::file_type::regular ||
                  type == std::filesystem::file_type::not_found,
              who, ": wanted a file as ", path.string(), ", got ",
              describe_non_file(type == std::filesystem::file_type::directory));
}

}  // namespace regtorch::detail
