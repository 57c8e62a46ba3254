#pragma once

#include <cerrno>
#include <filesystem>
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
    TORCH_CHECK(::lstat(path.c_str(), &status_) == 0, "could not look at ", path.string(), ": ",
                std::generic_category().message(errno));
  }

  bool is_still_at(const std::filesystem::path& path) const {
    struct stat now {};
    // An inode's number is soon used again, so size and time count too.
    return ::lstat(path.c_str(), &now) == 0 && now.st_dev == status_.st_dev &&
           now.st_ino == status_.st_ino && now.st_size == status_.st_size &&
           now.st_mtim.tv_sec == status_.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == status_.st_mtim.tv_nsec;
  }

 private:
  struct stat status_ {};
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

}  // namespace regtorch::detail
