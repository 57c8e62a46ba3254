#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <unistd.h>

namespace regtorch {

namespace detail {

/// Puts on disk that `path` has its name: a rename is there for good once its folder is. A file
/// system that cannot do that is no error, since the file is already whole.
inline void flush_folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

}  // namespace detail

/// Writes a file so that whoever looks, at any moment and after any crash, finds the old contents
/// or the new ones, whole.
///
/// The bytes go into a file beside it, are flushed to disk, and the file is renamed. On an error
/// the file beside is removed and the old file is as it was.
///
/// @param path      the file, in a folder that is there
/// @param contents  its bytes
/// @throws c10::Error naming the file and the system's reason
inline void write_file(const std::filesystem::path& path, std::string_view contents) {
  // A name of this call's own: other threads and processes may be writing the same file.
  static std::atomic<unsigned> calls = 0;
  const std::string beside =
      path.string() + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(++calls);
  const auto fail = [&](const char* what) {
    const std::string reason = std::strerror(errno);
    ::unlink(beside.c_str());
    TORCH_CHECK(false, "could not write ", path.string(), ": ", what, ": ", reason);
  };
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    fail("open");
  }
  const auto fail_open = [&](const char* what) {
    const int reason = errno;
    ::close(file);
    errno = reason;
    fail(what);
  };
  for (std::size_t done = 0; done < contents.size();) {
    const ssize_t written = ::write(file, contents.data() + done, contents.size() - done);
    if (written < 0 && errno != EINTR) {
      fail_open("write");
    }
    done += written > 0 ? static_cast<std::size_t>(written) : 0;
  }
  if (::fsync(file) != 0) {
    fail_open("fsync");
  }
  if (::close(file) != 0) {
    fail("close");
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    fail("rename");
  }
  detail::flush_folder_of(path);
}

}  // namespace regtorch
