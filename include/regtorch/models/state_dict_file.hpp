#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>

#include "regtorch/models/state_dict_objects.hpp"
#include "regtorch/models/state_dict_unpickler.hpp"
#include "regtorch/models/state_dict_zip.hpp"

namespace regtorch::detail {

/// What the record `byteorder` says on this machine.
constexpr std::string_view kByteOrder =
    std::endian::native == std::endian::little ? "little" : "big";

/// A state_dict in a file: a zip archive with the pickle data.pkl and a record data/<key> for each
/// storage.
///
/// Every error message begins with `where`.
class StateDictFile {
 public:
  StateDictFile(const std::filesystem::path& path, const std::string& where)
      : where_(where), zip_(path, where), objects_(where + ": data.pkl") {
    if (zip_.contains("byteorder")) {  // old versions of torch write none, and little-endian values
      const auto order = zip_.read("byteorder");
      TORCH_CHECK(order == kByteOrder, where_, ": wanted byteorder ", kByteOrder, ", got ",
                  order.substr(0, 16));
    }
    pickle_ = zip_.read("data.pkl");
    const auto root = Unpickler(pickle_, objects_, where + ": data.pkl").run();
    entries_ = objects_.entries(objects_.as<PickledObjects::Dict>(root));
    for (const auto& entry : entries_) {
      TORCH_CHECK(by_name_.emplace(entry.name, &entry).second, where_, ": entry '", entry.name,
                  "' is there twice");
    }
  }
  StateDictFile(const StateDictFile&) = delete;
  StateDictFile& operator=(const StateDictFile&) = delete;

  /// In the file's order.
  const std::vector<PickledObjects::Entry>& entries() const { return entries_; }

  /// The entry of that name, or null.
  const PickledObjects::Entry* find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  at::DimVector sizes(const PickledObjects::TensorInfo& info) const {
    return objects_.numbers(info.sizes);
  }

  /// Throws if copies of all tensors would take more than 64 MiB and also more than 16 times the
  /// file: strides of 0, and many tensors of one storage, make a small file claim any size.
  void check_size_of_copies() const {
    constexpr std::uint64_t kAlways = std::uint64_t{64} << 20;
    std::uint64_t left = std::max(kAlways, 16 * zip_.bytes());
    for (const auto& entry : entries_) {
      if (entry.tensor != nullptr) {
        const auto sizes = objects_.numbers(entry.tensor->sizes);
        const bool empty = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
        std::uint64_t bytes = empty ? 0 : c10::elementSize(entry.tensor->dtype);
        bool fits = true;
        for (const std::int64_t size : sizes) {
          fits = fits && !__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes);
        }
        TORCH_CHECK(fits && bytes <= left, where_, ": tensors up to ", entry.name,
                    " take more memory than a file of ", zip_.bytes(), " bytes should need");
        left -= bytes;
      }
    }
  }

  /// The tensor, on the CPU; each storage is read once, and shared.
  at::Tensor read(const PickledObjects::TensorInfo& info) {
    const auto sizes = objects_.numbers(info.sizes);
    const auto strides = objects_.numbers(info.strides);
    const auto options = at::TensorOptions().dtype(info.dtype);
    if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) {
      return at::empty(sizes, options);  // where it lies in its storage does not matter
    }
    const at::Tensor bytes = read_storage(info.storage);
    auto* first = bytes.data_ptr<std::uint8_t>() +
                  info.offset * static_cast<std::int64_t>(c10::elementSize(info.dtype));
    const auto keep = [bytes](void*) {};  // alive as long as the tensor
    return at::from_blob(first, sizes, strides, keep, options);
  }

 private:
  at::Tensor read_storage(const PickledObjects::StorageInfo& info) {
    at::Tensor& bytes = storages_[info.key];
    if (!bytes.defined()) {
      const std::string record = "data/" + std::string(info.key);
      bytes = at::empty({static_cast<std::int64_t>(zip_.size(record))}, c10::kByte);
      zip_.read(record, bytes.data_ptr());
    }
    TORCH_CHECK(bytes.numel() >= info.bytes, where_, ": wanted ", info.bytes,
                " bytes in record data/", info.key, ", got ", bytes.numel());
    return bytes;
  }

  std::string where_;
  ZipReader zip_;
  std::string pickle_;  // never moved: strings in objects_ and keys of storages_ are parts of it
  PickledObjects objects_;
  std::vector<PickledObjects::Entry> entries_;
  std::unordered_map<std::string_view, const PickledObjects::Entry*> by_name_;
  std::unordered_map<std::string_view, at::Tensor> storages_;
};

}  // namespace regtorch::detail
