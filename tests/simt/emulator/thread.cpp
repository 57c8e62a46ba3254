#include "thread.hpp"

#include <iomanip>
#include <sstream>
#include <string_view>

#include "messages.hpp"

namespace regtorch::simt {

std::string triple(const uint3& v) { return joined("(", v.x, ", ", v.y, ", ", v.z, ")"); }

std::string hexadecimal(unsigned mask) {
  std::ostringstream text;
  text << "0x" << std::hex << std::setw(8) << std::setfill('0') << mask;
  return text.str();
}

std::string place(const Location& where) {
  const std::string_view path = where.file_name();
  return joined(path.substr(path.rfind('/') + 1), ":", where.line());
}

std::string described(const WarpCall& call) {
  return joined(call.name, " with mask ", hexadecimal(call.mask), " (", place(call.where), ")");
}

bool same_call(const WarpCall& a, const WarpCall& b) {
  return a.mask == b.mask && a.bytes == b.bytes && std::string_view(a.name) == b.name;
}

std::string Thread::name() const { return joined("thread ", triple(index)); }

std::string Thread::doing() const {
  switch (state) {
    case State::kEnded:
      return "has ended";
    case State::kAtBarrier:
      return joined("waits at ", call.name, " (", place(call.where), ")");
    case State::kInWarpCall:
      return joined("waits in ", described(call));
    case State::kReady:
      break;
  }
  return "runs";
}

}  // namespace regtorch::simt
