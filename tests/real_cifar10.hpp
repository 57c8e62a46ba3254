#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace regtorch::testing {

/// The folder with the real CIFAR-10, if there is one: $REGTORCH_CIFAR10_ROOT.
inline std::optional<std::filesystem::path> real_cifar10_root() {
  const char* root = std::getenv("REGTORCH_CIFAR10_ROOT");
  if (root == nullptr || *root == '\0') {
    return std::nullopt;
  }
  return root;
}

}  // namespace regtorch::testing
