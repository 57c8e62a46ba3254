#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <ATen/core/Tensor.h>
#include <torch/optim/optimizer.h>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include "regtorch/core/state_values.hpp"

namespace regtorch::detail {

/// What torch::save writes of an optimizer, options included, as uint8 [n].
inline at::Tensor optimizer_bytes(const torch::optim::Optimizer& optimizer) {
  torch::serialize::OutputArchive archive;
  optimizer.save(archive);
  std::string bytes;
  archive.save_to([&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
    return size;
  });
  return to_tensor(bytes);
}

/// @throws c10::Error, with the optimizer's state unchanged, if the bytes are another kind's
inline void load_optimizer(torch::optim::Optimizer& optimizer, const std::string& bytes) {
  torch::serialize::InputArchive archive;
  archive.load_from(bytes.data(), bytes.size());
  // Loading keeps what the file has nothing about.
  auto before = std::exchange(optimizer.state(), {});
  try {
    optimizer.load(archive);
  } catch (...) {
    optimizer.state() = std::move(before);
    throw;
  }
}

}  // namespace regtorch::detail
