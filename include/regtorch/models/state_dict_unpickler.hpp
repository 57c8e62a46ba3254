#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>

#include "regtorch/models/state_dict_bytes.hpp"
#include "regtorch/models/state_dict_objects.hpp"
#include "regtorch/models/state_dict_pickle.hpp"

namespace regtorch::detail {

/// The stack machine that reads a pickle, with the opcodes that a state_dict needs and no others.
///
/// Every error message begins with `where`.
class Unpickler {
 public:
  using Value = PickledObjects::Value;

  /// @param pickle   must outlive `objects`, whose strings are parts of it
  /// @param objects  where what the pickle makes is kept
  Unpickler(std::string_view pickle, PickledObjects& objects, std::string where)
      : where_(std::move(where)), bytes_(pickle, where_), objects_(objects) {
    // A value takes more memory than the opcode that makes it.
    TORCH_CHECK(pickle.size() <= kMaxBytes, where_, " has ", pickle.size(),
                " bytes, wanted at most ", kMaxBytes);
  }

  /// The value that the pickle stands for. Call it once.
  Value run() {
    while (step()) {
    }
    TORCH_CHECK(stack_.size() == 1 && marks_.empty(), where_, ": wanted one value, got ",
                stack_.size());
    return stack_.front();
  }

 private:
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;  // some 100,000 tensors

  /// Does what the next opcode says; false after the last one.
  bool step() {
    const auto opcode = static_cast<Opcode>(bytes_.number(1));
    switch (opcode) {
      case Opcode::kProto: {
        const auto protocol = bytes_.number(1);
        TORCH_CHECK(protocol == 2, where_, ": wanted pickle protocol 2, got ", protocol);
        break;
      }
      case Opcode::kStop:
        return false;
      case Opcode::kMark:
        marks_.push_back(stack_.size());
        break;
      case Opcode::kNone:
        push(PickledObjects::None{});
        break;
      case Opcode::kNewTrue:
        push(true);
        break;
      case Opcode::kNewFalse:
        push(false);
        break;
      case Opcode::kBinInt:
        push(signed_number(4));
        break;
      case Opcode::kBinInt1:
        push(static_cast<std::int64_t>(bytes_.number(1)));
        break;
      case Opcode::kBinInt2:
        push(static_cast<std::int64_t>(bytes_.number(2)));
        break;
      case Opcode::kLong1:
        push(signed_number(bytes_.number(1)));
        break;
      case Opcode::kBinUnicode:
        push(bytes_.take(bytes_.number(4)));
        break;
      case Opcode::kGlobal: {
        const auto module = bytes_.line();
        push(objects_.make_global(module, bytes_.line()));
        break;
      }
      case Opcode::kEmptyDict:
        push(objects_.make_dict());
        break;
      case Opcode::kEmptyTuple:
        make_tuple(0);
        break;
      case Opcode::kTuple1:
        make_tuple(1);
        break;
      case Opcode::kTuple2:
        make_tuple(2);
        break;
      case Opcode::kTuple3:
        make_tuple(3);
        break;
      case Opcode::kTuple:
        make_tuple(pop_mark());
        break;
      case Opcode::kSetItem:
        set_items(2);
        break;
      case Opcode::kSetItems:
        set_items(pop_mark());
        break;
      case Opcode::kReduce: {
        const auto arguments = pop<PickledObjects::Tuple>();
        push(objects_.call(pop<PickledObjects::Global>(), arguments));
        break;
      }
      case Opcode::kBuild:  // Python keeps the versions of the modules in an attribute of the dict
        pop<PickledObjects::Dict>();
        push(pop<PickledObjects::Dict>());
        break;
      case Opcode::kBinPersId:
        push(objects_.make_storage(pop<PickledObjects::Tuple>()));
        break;
      case Opcode::kBinPut:
        remember(bytes_.number(1));
        break;
      case Opcode::kLongBinPut:
        remember(bytes_.number(4));
        break;
      case Opcode::kBinGet:
        recall(bytes_.number(1));
        break;
      case Opcode::kLongBinGet:
        recall(bytes_.number(4));
        break;
      default:
        TORCH_CHECK(false, where_, ": opcode ", static_cast<int>(opcode), " at byte ",
                    bytes_.position() - 1, " is nothing that a state_dict needs");
    }
    return true;
  }

  void push(Value value) { stack_.push_back(value); }

  /// How many values are in reach: those above the last mark.
  std::size_t reachable() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  void check_reachable(std::size_t count) const {
    TORCH_CHECK(reachable() >= count, where_, ": wanted ", count, " values at byte ",
                bytes_.position(), ", the stack has ", reachable());
  }

  const Value& top() const {
    check_reachable(1);
    return stack_.back();
  }
  template <class T>
  T pop() {
    const T value = objects_.as<T>(top());
    stack_.pop_back();
    return value;
  }
  /// How many values lie above the last mark, which goes.
  std::size_t pop_mark() {
    TORCH_CHECK(!marks_.empty(), where_, ": wanted a mark at byte ", bytes_.position());
    const auto count = reachable();
    marks_.pop_back();
    return count;
  }

  void make_tuple(std::size_t count) {
    check_reachable(count);
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    const auto tuple = objects_.make_tuple(first, stack_.end());
    stack_.erase(first, stack_.end());
    push(tuple);
  }
  void set_items(std::size_t count) {
    check_reachable(count + 1);
    TORCH_CHECK(count % 2 == 0, where_, ": wanted pairs, got ", count, " values");
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    const auto dict = objects_.as<PickledObjects::Dict>(*(first - 1));
    for (auto item = first; item != stack_.end(); item += 2) {
      objects_.add(dict, *item, *(item + 1));
    }
    stack_.erase(first, stack_.end());
  }

  void remember(std::uint64_t number) {
    TORCH_CHECK(number <= memo_.size(), where_, ": wanted to remember value ", number, " after ",
                memo_.size(), " others");
    if (number == memo_.size()) {
      memo_.push_back(top());
    } else {
      memo_[number] = top();
    }
  }
  void recall(std::uint64_t number) {
    TORCH_CHECK(number < memo_.size(), where_, ": wanted remembered value ", number, " of ",
                memo_.size());
    push(memo_[number]);
  }

  std::int64_t signed_number(std::uint64_t count) {
    TORCH_CHECK(count <= 8, where_, ": wanted a number of at most 8 bytes, got ", count);
    auto value = bytes_.number(count);
    if (count > 0 && count < 8 && (value >> (8 * count - 1) & 1) != 0) {
      value |= ~std::uint64_t{0} << (8 * count);  // the sign goes on to the left
    }
    return static_cast<std::int64_t>(value);
  }

  std::string where_;
  ByteReader bytes_;
  PickledObjects& objects_;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Value> memo_;
};

}  // namespace regtorch::detail
