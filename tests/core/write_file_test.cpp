#include "regtorch/core/write_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catch.hpp"
#include "temporary_folder.hpp"

namespace write_file_test {

namespace fs = std::filesystem;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::TemporaryFolder;

namespace {

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::ptrdiff_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), {});
}

}  // namespace

TEST_CASE("write_file replaces a file's contents and leaves nothing beside it", "[core]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "file";
  const std::string binary("a\0b\n", 4);
  rt::write_file(path, "old and longer");
  rt::write_file(path, binary);
  CHECK(contents(path) == binary);
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("write_file that cannot write names the file and keeps the old one", "[core]") {
  const TemporaryFolder folder;
  const fs::path missing = folder.path / "no" / "file";
  CHECK(contains(error_of([&] { rt::write_file(missing, "x"); }),
                 missing.string() + ": open: No such file or directory"));

  for (const char* name : {"empty", "not-empty"}) {
    const fs::path directory = folder.path / name;
    fs::create_directories(directory / (name == std::string("empty") ? "" : "x"));
    CHECK(contains(error_of([&] { rt::write_file(directory, "x"); }),
                   directory.string() + ": wanted a file, got a folder"));
    CHECK(fs::is_directory(directory));
  }
  CHECK(fs::exists(folder.path / "not-empty" / "x"));

  // Renaming would put a file in its place, which a program run by root must not do to /dev/null.
  const fs::path pipe = folder.path / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(contains(error_of([&] { rt::write_file(pipe, "x"); }),
                 pipe.string() + ": wanted a file, got a device or the like"));
  CHECK(fs::is_fifo(pipe));
  CHECK(files_in(folder.path) == 3);
}

TEST_CASE("write_file keeps a file's permissions and owner", "[core]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "file";
  const auto old_umask = ::umask(0027);
  rt::write_file(path, "x");
  ::umask(old_umask);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);  // what any program would give it

  for (const mode_t mode : {0600U, 0444U, 0777U}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    rt::write_file(path, "y");
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == mode);
  }
  if (::chown(path.c_str(), 12345, 23456) != 0) {
    WARN("owner not tested: giving files away takes root");
    return;
  }
  rt::write_file(path, "z");
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(status.st_uid == 12345);
  CHECK(status.st_gid == 23456);
}

TEST_CASE("write_file writes what a symbolic link leads to", "[core]") {
  const TemporaryFolder folder;
  const fs::path elsewhere = folder.path / "elsewhere";
  fs::create_directory(elsewhere);
  const fs::path relative = folder.path / "relative";
  const fs::path absolute = folder.path / "absolute";
  fs::create_symlink("elsewhere/file", relative);
  fs::create_symlink(relative, absolute);
  for (const auto& [link, text] : {std::pair{relative, "new"}, std::pair{absolute, "newer"}}) {
    rt::write_file(link, text);
    CHECK(fs::is_symlink(link));
    CHECK(contents(elsewhere / "file") == text);
    CHECK(files_in(folder.path) == 3);
    CHECK(files_in(elsewhere) == 1);
  }

  const fs::path circle = folder.path / "circle";
  fs::create_symlink("circle", circle);
  CHECK(contains(error_of([&] { rt::write_file(circle, "x"); }),
                 circle.string() + ": Too many levels of symbolic links"));
}

TEST_CASE("write_file leaves alone what others write beside it", "[core]") {
  const TemporaryFolder folder;
  // The names that the next calls would take: those of another machine's process of this number.
  std::vector<fs::path> others;
  for (int n = 0; n < 2000; ++n) {
    others.push_back(folder.path /
                     (".regtorch-" + std::to_string(::getpid()) + "-" + std::to_string(n)));
    std::ofstream(others.back()) << "other";
  }
  rt::write_file(folder.path / "file", "mine");
  CHECK(contents(folder.path / "file") == "mine");
  for (const auto& other : others) {
    REQUIRE(contents(other) == "other");
  }
}

TEST_CASE("write_file writes a file with the longest name there is", "[core]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / std::string(255, 'x');
  rt::write_file(path, "text");
  CHECK(contents(path) == "text");
}

TEST_CASE("write_file on a full disk keeps the old file", "[core]") {
  const TemporaryFolder folder;
  if (::mount("regtorch-test", folder.path.c_str(), "tmpfs", 0, "size=64k") != 0) {
    WARN("not run: mounting a small tmpfs takes root");
    return;
  }
  const fs::path path = folder.path / "file";
  rt::write_file(path, "old");
  const auto message = error_of([&] { rt::write_file(path, std::string(1 << 20, 'x')); });
  CHECK(contains(message, "No space left on device"));
  CHECK(contents(path) == "old");
  CHECK(files_in(folder.path) == 1);
  ::umount(folder.path.c_str());
}

}  // namespace write_file_test
