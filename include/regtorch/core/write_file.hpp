#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace regtorch {

namespace detail {

/// Where a file of this name is written: what a symbolic link leads to, be it there or not.
/// @throws c10::Error naming the path if it leads round in a circle
inline std::filesystem::path follow_links(const std::filesystem::path& path) {
  std::filesystem::path place = path;
  for (int links = 0;; ++links) {
    std::error_code no_link;
    const auto target = std::filesystem::read_symlink(place, no_link);
    if (no_link) {
      return place;
    }
    TORCH_CHECK(links < 40, "could not write ", path.string(), ": ",
                std::generic_category().message(ELOOP));
    place = place.parent_path() / target;  // or the target alone, if it is absolute
  }
}

/// Creates a file in a folder under a name that nobody else has: other threads, processes and
/// machines may be writing there, too.
/// @param mode  its permissions, less the process's umask
/// @return its descriptor, or -1 and errno; and its path
inline std::pair<int, std::filesystem::path> create_new_file(const std::filesystem::path& folder,
                                                             mode_t mode) {
  static std::atomic<unsigned> calls = 0;
  for (;;) {
    auto path =
        folder / (".regtorch-" + std::to_string(::getpid()) + "-" + std::to_string(++calls));
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file >= 0 || errno != EEXIST) {
      return {file, std::move(path)};
    }
  }
}

/// The folder that a file is in.
inline std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

/// Puts on disk that `path` has its name: a rename is there for good once its folder is. A file
/// system that cannot do that is no error, since the file is already whole.
inline void flush_folder_of(const std::filesystem::path& path) {
  const int directory = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

/// For messages about a path where a file is wanted.
inline const char* describe_non_file(bool is_folder) {
  return is_folder ? "a folder" : "a device or the like";
}

}  // namespace detail

/// Writes a file so that whoever looks, at any moment and after any crash, finds the old contents
/// or the new ones, whole.
///
/// The bytes go into a file beside it, are flushed to disk, and the file is renamed. On an error
/// the file beside is removed and the old file is as it was. A file that is replaced passes on its
/// permissions and, as far as the system allows, its owner; a symbolic link stays, and what it
/// leads to is written.
///
/// @param path      the file, in a folder that is there
/// @param contents  its bytes
/// @throws c10::Error naming the file and the system's reason, also where a folder, a device or the
///         like has the name
inline void write_file(const std::filesystem::path& path, std::string_view contents) {
  const auto place = detail::follow_links(path);
  struct stat old {};
  const bool replaces = ::stat(place.c_str(), &old) == 0;
  TORCH_CHECK(!replaces || S_ISREG(old.st_mode), "could not write ", path.string(),
              ": wanted a file, got ", detail::describe_non_file(S_ISDIR(old.st_mode)));

  // What replaces a private file must not be public for a moment.
  const auto made = detail::create_new_file(detail::folder_of(place), replaces ? 0600 : 0666);
  const int file = made.first;
  const auto& beside = made.second;
  TORCH_CHECK(file >= 0, "could not write ", path.string(),
              ": open: ", std::generic_category().message(errno));
  bool opened = true;
  const auto check = [&](bool succeeded, const char* what) {
    if (succeeded) {
      return;
    }
    const int reason = errno;
    if (opened) {
      ::close(file);
    }
    ::unlink(beside.c_str());
    TORCH_CHECK(false, "could not write ", path.string(), ": ", what, ": ",
                std::generic_category().message(reason));
  };
  for (std::size_t done = 0; done < contents.size();) {
    const ssize_t written = ::write(file, contents.data() + done, contents.size() - done);
    check(written >= 0 || errno == EINTR, "write");
    done += written > 0 ? static_cast<std::size_t>(written) : 0;
  }
  if (replaces) {
    // Only root may give a file away; and what a group was allowed is not for another group. A file
    // system without permissions is no error.
    const bool has_group = ::fchown(file, old.st_uid, old.st_gid) == 0 ||
                           ::fchown(file, static_cast<uid_t>(-1), old.st_gid) == 0;
    [[maybe_unused]] const int kept = ::fchmod(file, old.st_mode & (has_group ? 0777 : 0707));
  }
  check(::fsync(file) == 0, "fsync");
  opened = false;
  check(::close(file) == 0, "close");
  check(::rename(beside.c_str(), place.c_str()) == 0, "rename");
  detail::flush_folder_of(place);
}

}  // namespace regtorch
