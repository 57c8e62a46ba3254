#pragma once

#include <sstream>
#include <string>

#include "simt/device_calls.hpp"
#include "simt/vector_types.hpp"

/// Pieces of messages.
namespace regtorch::simt {

template <class... Parts>
std::string joined(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

std::string triple(const uint3& v);           // (1, 2, 3)
std::string hexadecimal(unsigned mask);       // 0x0000ffff
std::string place(const Location& where);     // file.cuh:12
std::string described(const WarpCall& call);  // __shfl_sync with mask 0x0000ffff (file.cuh:12)

}  // namespace regtorch::simt
