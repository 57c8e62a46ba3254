#include "regtorch/training/new_file.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "catch.hpp"
#include "temporary_folder.hpp"

namespace new_file_test {

namespace fs = std::filesystem;
using regtorch::detail::FileIdentity;
using regtorch::detail::NewFile;
using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::TemporaryFolder;

namespace {

thread_local bool no_hard_links = false;

void put(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::ptrdiff_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), {});
}

}  // namespace

/// In place of the C library's, so that a test can have a file system without hard links.
extern "C" int link(const char* from, const char* to) noexcept {
  if (no_hard_links) {
    errno = EPERM;
    return -1;
  }
  return ::linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

TEST_CASE("a file's identity ends when it is replaced, changed or removed", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "a";
  const fs::path other = folder.path / "b";
  put(path, "text");
  const FileIdentity identity(path);
  CHECK(identity.is_still_at(path));
  CHECK_FALSE(identity.is_still_at(other));

  fs::rename(path, other);
  CHECK_FALSE(identity.is_still_at(path));
  CHECK(identity.is_still_at(other));

  fs::create_symlink(other, path);
  CHECK_FALSE(identity.is_still_at(path));  // a link to it is not it
  fs::remove(path);
  fs::copy_file(other, path);
  fs::last_write_time(path, fs::last_write_time(other));
  CHECK_FALSE(identity.is_still_at(path));  // the same bytes, size and time, another file

  const auto time = fs::last_write_time(other);
  put(other, "longer text");
  fs::last_write_time(other, time);
  CHECK_FALSE(identity.is_still_at(other));  // another size
  put(other, "text");
  fs::last_write_time(other, time);
  CHECK(identity.is_still_at(other));
  fs::last_write_time(other, time + std::chrono::milliseconds(100));
  CHECK_FALSE(identity.is_still_at(other));
  fs::last_write_time(other, time + std::chrono::seconds(1));
  CHECK_FALSE(identity.is_still_at(other));

  CHECK(contains(error_of([&] { FileIdentity{folder.path / "none"}; }), "No such file"));
}

TEST_CASE("a new file without a name is removed", "[training]") {
  const TemporaryFolder folder;
  {
    const NewFile one(folder.path);
    const NewFile two(folder.path);
    CHECK(one.path() != two.path());
    CHECK(one.path().parent_path() == folder.path);
    CHECK(files_in(folder.path) == 2);
  }
  CHECK(files_in(folder.path) == 0);
  CHECK(contains(error_of([&] { NewFile{folder.path / "none"}; }),
                 "could not write to the folder " + (folder.path / "none").string() +
                     ": No such file or directory"));
}

TEST_CASE("a new file is renamed, in place of another or not", "[training]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "a";
  for (const bool links : {true, false}) {
    INFO(links);
    no_hard_links = !links;
    put(path, "old");
    {
      NewFile file(folder.path);
      put(file.path(), "new");
      CHECK_FALSE(file.rename_if_free(path));
      CHECK(contents(path) == "old");
      CHECK(contents(file.path()) == "new");
      file.rename(path);
      CHECK(contents(path) == "new");
      CHECK(files_in(folder.path) == 1);
    }
    CHECK(contents(path) == "new");
    fs::remove(path);
    {
      NewFile file(folder.path);
      put(file.path(), "newer");
      const FileIdentity identity(file.path());
      CHECK(file.rename_if_free(path));
      CHECK(identity.is_still_at(path));
      CHECK(files_in(folder.path) == 1);
    }
    CHECK(contents(path) == "newer");
    fs::remove(path);
    fs::create_symlink("nowhere", path);  // is a name, too
    CHECK_FALSE(NewFile(folder.path).rename_if_free(path));
    CHECK(fs::is_symlink(path));
    fs::remove(path);
    fs::create_directory(path);
    CHECK_FALSE(NewFile(folder.path).rename_if_free(path));
    CHECK(contains(error_of([&] { NewFile(folder.path).rename(path); }),
                   "could not rename a file to " + path.string() + ": Is a directory"));
    CHECK(files_in(folder.path) == 1);
    fs::remove(path);
    const fs::path missing = folder.path / "none" / "a";
    CHECK(contains(error_of([&] { NewFile(folder.path).rename_if_free(missing); }),
                   missing.string() + ": No such file or directory"));
    CHECK(files_in(folder.path) == 0);
  }
  no_hard_links = false;
}

TEST_CASE("of several that want one name at once, one gets it", "[training]") {
  const TemporaryFolder folder;
  constexpr int kNames = 200;
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kNames; ++i) {
        NewFile file(folder.path);
        put(file.path(), std::to_string(t));
        taken += file.rename_if_free(folder.path / std::to_string(i)) ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(taken == kNames);
  CHECK(files_in(folder.path) == kNames);
}

}  // namespace new_file_test
