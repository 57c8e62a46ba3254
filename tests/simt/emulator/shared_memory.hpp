#pragma once

namespace regtorch::simt {

/// Sets every byte of the calling thread's copy of the program's thread-local variables.
void fill_shared_memory(unsigned char byte);

}  // namespace regtorch::simt
