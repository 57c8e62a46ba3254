#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <c10/util/Exception.h>

namespace regtorch::detail {

/// A walk over bytes that nobody vouches for: asking for more than there are is an error.
class ByteReader {
 public:
  /// @param bytes  must outlive the reader and what it returns
  /// @param where  begins the error message
  ByteReader(std::string_view bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}

  bool done() const { return position_ == bytes_.size(); }
  std::size_t position() const { return position_; }

  std::string_view take(std::uint64_t count) {
    TORCH_CHECK(count <= bytes_.size() - position_, where_, ": ends at byte ", bytes_.size(),
                ", wanted ", count, " bytes from byte ", position_);
    const auto taken = bytes_.substr(position_, count);
    position_ += taken.size();
    return taken;
  }
  /// A little-endian number of at most 8 bytes.
  std::uint64_t number(std::size_t count) {
    const auto digits = take(count);
    std::uint64_t value = 0;
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
      value = value << 8 | static_cast<unsigned char>(*digit);
    }
    return value;
  }
  /// What is left of the line, without the line break that ends it.
  std::string_view line() {
    const auto end = bytes_.find('\n', position_);
    TORCH_CHECK(end != std::string_view::npos, where_, ": ends at byte ", bytes_.size(),
                " within a line");
    const auto text = take(end - position_);
    ++position_;
    return text;
  }

 private:
  std::string_view bytes_;
  std::string where_;
  std::size_t position_ = 0;
};

}  // namespace regtorch::detail
