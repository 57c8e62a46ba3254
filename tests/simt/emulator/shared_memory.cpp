#include "shared_memory.hpp"

#include <cstddef>
#include <cstring>

#include <link.h>

#include "sanitizer.hpp"

namespace regtorch::simt {
namespace {

struct Segment {
  void* data = nullptr;
  std::size_t size = 0;
};

// The first object that is reported is the program itself.
int first_segment(dl_phdr_info* object, std::size_t, void* result) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& header = object->dlpi_phdr[i];
    if (header.p_type == PT_TLS) {
      *static_cast<Segment*>(result) = {object->dlpi_tls_data, header.p_memsz};
    }
  }
  return 1;
}

}  // namespace

void fill_shared_memory([[maybe_unused]] unsigned char byte) {
#if !(defined(__clang__) && defined(REGTORCH_SIMT_ASAN))
  // (clang links the sanitizer's run time into the program, thread-local variables and all.)
  Segment segment;
  dl_iterate_phdr(first_segment, &segment);
  if (segment.data != nullptr) std::memset(segment.data, byte, segment.size);
#endif
}

}  // namespace regtorch::simt
