#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/core/DimVector.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include "regtorch/models/state_dict_pickle.hpp"

namespace regtorch::detail {

/// The objects that a state_dict's pickle may make: which names it may use, and what a call of one
/// of them gives. Nothing is ever run, and no tensor is made: it is only described.
///
/// Everything is flat: a tuple is a range of one array, a dict or a tensor is a number, a string is
/// a part of the pickle. So values that are nested without end do not recurse, and one that is used
/// a million times is there once.
///
/// Every error message begins with `where`.
class PickledObjects {
 public:
  struct None {};
  struct Tuple {
    std::size_t first;
    std::size_t count;
  };
  struct Dict {
    std::size_t number;
  };
  struct Storage {
    std::size_t number;
  };
  struct Tensor {
    std::size_t number;
  };
  struct Global {
    enum Kind { kOrderedDict, kTensorV2, kTensorV3, kParameter, kStorage, kDtype } kind;
    c10::ScalarType dtype;  ///< of the storage class, Byte if it is untyped; or the dtype itself
  };
  using Value = std::variant<None, bool, std::int64_t, std::string_view, Global, Tuple, Dict,
                             Storage, Tensor>;

  struct StorageInfo {
    std::string_view key;  ///< the record is data/<key>
    c10::ScalarType dtype;
    std::int64_t bytes;
  };
  /// No number is below 0, and every element lies within the storage.
  struct TensorInfo {
    StorageInfo storage;
    c10::ScalarType dtype;
    std::int64_t offset;  ///< in elements, like the strides
    Tuple sizes;
    Tuple strides;
  };
  struct Entry {
    std::string_view name;
    const TensorInfo* tensor;  ///< null if the entry is something else
  };

  explicit PickledObjects(std::string where) : where_(std::move(where)) {}

  template <class Iterator>
  Tuple make_tuple(Iterator begin, Iterator end) {
    const auto first = items_.size();
    items_.insert(items_.end(), begin, end);
    return {first, items_.size() - first};
  }
  Dict make_dict() {
    dicts_.emplace_back();
    return {dicts_.size() - 1};
  }
  void add(Dict dict, Value key, Value value) { dicts_[dict.number].emplace_back(key, value); }

  Global make_global(std::string_view module, std::string_view name) const {
    struct Known {
      std::string_view module;
      std::string_view name;
      Global global;
    };
    constexpr std::array kKnown{
        Known{"collections", "OrderedDict", {Global::kOrderedDict, {}}},
        Known{"torch._utils", "_rebuild_tensor_v2", {Global::kTensorV2, {}}},
        Known{"torch._utils", "_rebuild_tensor_v3", {Global::kTensorV3, {}}},
        Known{"torch._utils", "_rebuild_parameter", {Global::kParameter, {}}},
        Known{"torch.storage", "UntypedStorage", {Global::kStorage, c10::kByte}},
    };
    for (const auto& known : kKnown) {
      if (module == known.module && name == known.name) {
        return known.global;
      }
    }
    for (const auto& dtype : kPickledDtypes) {
      if (module == "torch" && name == dtype.name) {
        return {dtype.has_storage_class() ? Global::kStorage : Global::kDtype, dtype.dtype};
      }
    }
    // Not TORCH_CHECK(false, ...), after which g++ -O0 misses a return.
    C10_THROW_ERROR(Error, c10::str(where_, ": names ", module.substr(0, 100), ".",
                                    name.substr(0, 100), ", which no state_dict needs"));
  }

  /// @param id  ('storage', storage class, key, device, number of elements)
  Storage make_storage(Tuple id) {
    TORCH_CHECK(id.count == 5, where_, ": wanted a storage's 5 values, got ", id.count);
    const Value* value = items_.data() + id.first;
    const auto type = as<Global>(value[1]);
    const auto elements = as<std::int64_t>(value[4]);
    TORCH_CHECK(as<std::string_view>(value[0]) == "storage" && type.kind == Global::kStorage,
                where_, ": wanted a storage");
    StorageInfo storage{as<std::string_view>(value[2]), type.dtype, 0};
    const auto size = static_cast<std::int64_t>(c10::elementSize(type.dtype));
    TORCH_CHECK(elements >= 0 && !__builtin_mul_overflow(elements, size, &storage.bytes), where_,
                ": a storage claims ", elements, " elements");
    storages_.push_back(storage);
    return {storages_.size() - 1};
  }

  /// What `callable(*arguments)` is in Python.
  Value call(Global callable, Tuple arguments) {
    switch (callable.kind) {
      case Global::kOrderedDict:
        check_count("OrderedDict", arguments, 0, 0);
        return make_dict();
      case Global::kTensorV2:
        check_count("_rebuild_tensor_v2", arguments, 6, 7);
        return make_tensor(arguments, 6);
      case Global::kTensorV3:
        check_count("_rebuild_tensor_v3", arguments, 7, 8);
        return make_tensor(arguments, 7);
      case Global::kParameter:
        check_count("_rebuild_parameter", arguments, 3, 3);
        return as<Tensor>(items_[arguments.first]);
      case Global::kStorage:
      case Global::kDtype:
        break;
    }
    TORCH_CHECK(false, where_, ": calls a type");
  }

  /// What a dict holds, in order.
  std::vector<Entry> entries(Dict dict) const {
    std::vector<Entry> entries;
    for (const auto& [key, value] : dicts_[dict.number]) {
      const auto* tensor = std::get_if<Tensor>(&value);
      entries.push_back(
          {as<std::string_view>(key), tensor == nullptr ? nullptr : &tensors_[tensor->number]});
    }
    return entries;
  }

  /// A tensor's sizes or strides.
  at::DimVector numbers(Tuple tuple) const {
    at::DimVector result;
    for (std::size_t i = 0; i < tuple.count; ++i) {
      result.push_back(as<std::int64_t>(items_[tuple.first + i]));
    }
    return result;
  }

  template <class T>
  T as(const Value& value) const {
    constexpr std::array kNames{"None",    "a bool", "a number",  "a string", "a type or function",
                                "a tuple", "a dict", "a storage", "a tensor"};
    const T* found = std::get_if<T>(&value);
    TORCH_CHECK(found != nullptr, where_, ": wanted ", kNames[Value(T{}).index()], ", got ",
                kNames[value.index()]);
    return *found;
  }

 private:
  void check_count(const char* name, Tuple arguments, std::size_t least, std::size_t most) const {
    TORCH_CHECK(least <= arguments.count && arguments.count <= most, where_, ": calls ", name,
                " with ", arguments.count, " arguments");
  }

  /// @param known  how many of the arguments storage, offset, sizes, strides, requires_grad, hooks,
  ///               dtype there are; one more would be a dict of what is to be done to the values
  Tensor make_tensor(Tuple arguments, std::size_t known) {
    const Value* value = items_.data() + arguments.first;
    const StorageInfo& storage = storages_[as<Storage>(value[0]).number];
    TensorInfo tensor{storage, storage.dtype, as<std::int64_t>(value[1]), as<Tuple>(value[2]),
                      as<Tuple>(value[3])};
    if (known == 7) {
      const auto dtype = as<Global>(value[6]);
      TORCH_CHECK(dtype.kind == Global::kDtype, where_, ": wanted a dtype");
      tensor.dtype = dtype.dtype;
    }
    TORCH_CHECK(arguments.count == known || dicts_[as<Dict>(value[known]).number].empty(), where_,
                ": has a tensor that is stored conjugated or negated");
    check_within_storage(tensor);
    tensors_.push_back(tensor);
    return {tensors_.size() - 1};
  }

  void check_within_storage(const TensorInfo& tensor) const {
    TORCH_CHECK(tensor.sizes.count == tensor.strides.count && tensor.sizes.count <= kMaxDimensions,
                where_, ": a tensor has ", tensor.sizes.count, " sizes and ", tensor.strides.count,
                " strides");
    std::int64_t last = tensor.offset;  // where the last element is
    bool fits = last >= 0;
    bool empty = false;
    for (std::size_t d = 0; d < tensor.sizes.count; ++d) {
      const auto size = as<std::int64_t>(items_[tensor.sizes.first + d]);
      const auto stride = as<std::int64_t>(items_[tensor.strides.first + d]);
      std::int64_t reach = 0;
      fits = fits && size >= 0 && stride >= 0 &&
             !__builtin_mul_overflow(std::max<std::int64_t>(size - 1, 0), stride, &reach) &&
             !__builtin_add_overflow(last, reach, &last);
      empty = empty || size == 0;
    }
    const auto element = static_cast<std::int64_t>(c10::elementSize(tensor.dtype));
    TORCH_CHECK(fits && (empty || last < tensor.storage.bytes / element), where_,
                ": a tensor reaches out of storage ", tensor.storage.key, " of ",
                tensor.storage.bytes, " bytes");
  }

  static constexpr std::size_t kMaxDimensions = 64;  // LibTorch's own limit

  std::string where_;
  std::vector<Value> items_;
  std::vector<std::vector<std::pair<Value, Value>>> dicts_;
  std::vector<StorageInfo> storages_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace regtorch::detail
