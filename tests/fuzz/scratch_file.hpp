#pragma once

#include <filesystem>
#include <fstream>
#include <ios>
#include <string_view>

#include "fuzz.hpp"
#include "temporary_folder.hpp"

namespace regtorch::testing {

/// A file for what a target reads, removed when it ends. run.py has it made in memory.
class ScratchFile {
 public:
  std::filesystem::path path() const { return folder_.path / "file"; }

  /// Makes `bytes` all that is in it.
  void put(std::string_view bytes) const {
    std::ofstream file(path(), std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    require(file.flush().good(), "the scratch file can be written");
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace regtorch::testing
