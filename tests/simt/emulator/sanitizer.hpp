#pragma once

// REGTORCH_SIMT_ASAN where AddressSanitizer is on: g++ and clang say so differently.
#if defined(__SANITIZE_ADDRESS__)
#define REGTORCH_SIMT_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REGTORCH_SIMT_ASAN
#endif
#endif
