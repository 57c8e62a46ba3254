#include "regtorch/core/write_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/mount.h>

#include "catch.hpp"
#include "temporary_folder.hpp"

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

  const fs::path directory = folder.path / "directory";
  fs::create_directories(directory / "not-empty");
  CHECK(contains(error_of([&] { rt::write_file(directory, "x"); }), "rename"));
  CHECK(fs::exists(directory / "not-empty"));
  CHECK(files_in(folder.path) == 1);
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
