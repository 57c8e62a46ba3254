#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

namespace regtorch::detail {

/// The part of Python's pickle language, protocol 2, in which a state_dict is written.
enum class Opcode : unsigned char {
  kProto = 0x80,      ///< 2, the first opcode
  kStop = '.',        ///< the last; what is on the stack is the result
  kMark = '(',        ///< begins what TUPLE and SETITEMS end
  kNone = 'N',        ///< pushes None
  kNewTrue = 0x88,    ///< pushes True
  kNewFalse = 0x89,   ///< pushes False
  kBinInt = 'J',      ///< pushes an int32
  kBinInt1 = 'K',     ///< pushes a uint8
  kBinInt2 = 'M',     ///< pushes a uint16
  kLong1 = 0x8a,      ///< pushes an integer of as many bytes as the next byte says
  kBinUnicode = 'X',  ///< pushes a string: uint32 length and UTF-8
  kGlobal = 'c',      ///< pushes what two lines name: module and name
  kEmptyDict = '}',   ///< pushes {}
  kEmptyTuple = ')',  ///< pushes ()
  kTuple = 't',       ///< makes what lies above the mark a tuple
  kTuple1 = 0x85,     ///< makes the top one a tuple
  kTuple2 = 0x86,     ///< the top two
  kTuple3 = 0x87,     ///< the top three
  kSetItem = 's',     ///< adds the top two, key and value, to the dict below
  kSetItems = 'u',    ///< adds the pairs above the mark
  kReduce = 'R',      ///< calls what lies below a tuple with the tuple
  kBuild = 'b',       ///< gives the top one as attributes to the one below
  kBinPersId = 'Q',   ///< replaces the tuple ('storage', type, key, device, elements) by a storage
  kBinPut = 'q',      ///< remembers the top one under the number in the next byte
  kLongBinPut = 'r',  ///< the same, with four bytes
  kBinGet = 'h',      ///< pushes what was remembered
  kLongBinGet = 'j',  ///< the same, with four bytes
};

/// An element type, and the name by which Python's pickles say it: of a storage class (and the
/// tensor is made by _rebuild_tensor_v2), or of a dtype that came too late to have one (the storage
/// is an UntypedStorage, and the tensor is made by _rebuild_tensor_v3).
struct PickledDtype {
  c10::ScalarType dtype;
  std::string_view name;

  bool has_storage_class() const { return name.ends_with("Storage"); }
};

inline constexpr std::array kPickledDtypes{
    PickledDtype{c10::kFloat, "FloatStorage"},
    PickledDtype{c10::kDouble, "DoubleStorage"},
    PickledDtype{c10::kHalf, "HalfStorage"},
    PickledDtype{c10::kBFloat16, "BFloat16Storage"},
    PickledDtype{c10::kLong, "LongStorage"},
    PickledDtype{c10::kInt, "IntStorage"},
    PickledDtype{c10::kShort, "ShortStorage"},
    PickledDtype{c10::kChar, "CharStorage"},
    PickledDtype{c10::kByte, "ByteStorage"},
    PickledDtype{c10::kBool, "BoolStorage"},
    PickledDtype{c10::kComplexFloat, "ComplexFloatStorage"},
    PickledDtype{c10::kComplexDouble, "ComplexDoubleStorage"},
    PickledDtype{c10::kComplexHalf, "complex32"},
    PickledDtype{c10::kUInt16, "uint16"},
    PickledDtype{c10::kUInt32, "uint32"},
    PickledDtype{c10::kUInt64, "uint64"},
    PickledDtype{c10::kFloat8_e5m2, "float8_e5m2"},
    PickledDtype{c10::kFloat8_e4m3fn, "float8_e4m3fn"},
    PickledDtype{c10::kFloat8_e5m2fnuz, "float8_e5m2fnuz"},
    PickledDtype{c10::kFloat8_e4m3fnuz, "float8_e4m3fnuz"},
    PickledDtype{c10::kFloat8_e8m0fnu, "float8_e8m0fnu"},
};

/// The table's entry for `dtype`, or null.
inline const PickledDtype* find_pickled_dtype(c10::ScalarType dtype) {
  for (const auto& entry : kPickledDtypes) {
    if (entry.dtype == dtype) {
      return &entry;
    }
  }
  return nullptr;
}

/// Writes the pickle of an OrderedDict of tensors, as Python's torch.save writes a state_dict.
class StateDictPickler {
 public:
  StateDictPickler() {
    put(Opcode::kProto);
    bytes_ += '\2';
    put_ordered_dict();
    put(Opcode::kMark);
  }

  /// Adds a tensor of a type in kPickledDtypes, whose storage is the record data/<key>.
  void add(std::string_view name, const at::Tensor& tensor, std::string_view key) {
    const PickledDtype& dtype = *find_pickled_dtype(tensor.scalar_type());
    const bool typed = dtype.has_storage_class();
    put_string(name);
    put_global("torch._utils", typed ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
    put(Opcode::kMark);

    put(Opcode::kMark);
    put_string("storage");
    put_global(typed ? "torch" : "torch.storage", typed ? dtype.name : "UntypedStorage");
    put_string(key);
    put_string("cpu");
    put_number(static_cast<std::int64_t>(tensor.storage().nbytes()) /
               (typed ? tensor.element_size() : 1));
    put(Opcode::kTuple);
    put(Opcode::kBinPersId);

    put_number(tensor.storage_offset());
    put_numbers(tensor.sizes());
    put_numbers(tensor.strides());
    put(Opcode::kNewFalse);  // requires_grad
    put_ordered_dict();      // hooks
    if (!typed) {
      put_global("torch", dtype.name);
    }
    put(Opcode::kTuple);
    put(Opcode::kReduce);
  }

  /// The whole pickle. Call it once, at the end.
  const std::string& finish() {
    put(Opcode::kSetItems);
    put(Opcode::kStop);
    return bytes_;
  }

 private:
  void put(Opcode opcode) { bytes_ += static_cast<char>(opcode); }
  void put_little_endian(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) {
      bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    }
  }
  void put_string(std::string_view text) {
    put(Opcode::kBinUnicode);
    put_little_endian(text.size(), 4);
    bytes_ += text;
  }
  void put_number(std::int64_t value) {
    put(Opcode::kLong1);
    bytes_ += '\10';
    put_little_endian(static_cast<std::uint64_t>(value), 8);
  }
  void put_numbers(c10::IntArrayRef values) {
    put(Opcode::kMark);
    for (const std::int64_t value : values) {
      put_number(value);
    }
    put(Opcode::kTuple);
  }
  void put_global(std::string_view module, std::string_view name) {
    put(Opcode::kGlobal);
    bytes_.append(module).append("\n").append(name).append("\n");
  }
  void put_ordered_dict() {
    put_global("collections", "OrderedDict");
    put(Opcode::kEmptyTuple);
    put(Opcode::kReduce);
  }

  std::string bytes_;
};

}  // namespace regtorch::detail
