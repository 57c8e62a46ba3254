// A target with a defect, which run.py must see found: else nothing that it says means anything.

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size >= 3 && data[0] == 'r' && data[1] == 't') {
    [[maybe_unused]] const volatile std::uint8_t beyond = data[size];
  }
  return 0;
}
