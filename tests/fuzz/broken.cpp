// A target with a defect, which run.py must see found: else nothing that it says means anything.

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size >= 3 && data[0] == 'r' && data[1] == 't') {
    return data[size] == 0 ? 0 : 0;  // one byte beyond the end
  }
  return 0;
}
